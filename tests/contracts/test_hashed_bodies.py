"""`--hash` with every executor: the hashes of large bodies that are slow, compressed, cut or cancelled."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import fetchpool
from tests.faults.matrix import ASYNC, Way, fetch_urls, in_every_way
from tests.faults.server import FaultServer, Peer, Received, scenario

BODY = Random(13).randbytes(3_000_000)
TEXT = b"a line of text that is compressed well\n" * 60_000


@scenario("large")
def large(peer: Peer, received: Received) -> None:
    peer.respond(BODY[: int(received.query)])


@scenario("large-slow")
def large_slow(peer: Peer, _received: Received) -> None:
    peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n")
    for start in range(0, len(BODY), 300_000):
        peer.send(BODY[start : start + 300_000])
        peer.pause(0.01)
    peer.keep = True


@scenario("large-cut")
def large_cut(peer: Peer, received: Received) -> None:
    peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n\r\n")
    peer.send(BODY[: int(received.query)])


@scenario("large-gzip")
def large_gzip(peer: Peer, _received: Received) -> None:
    peer.respond(gzip.compress(TEXT, 1), "Content-Encoding: gzip")


@scenario("large-silent")
def large_silent(peer: Peer, received: Received) -> None:
    large_cut(peer, received)
    peer.stay()


@scenario("too-large")
def too_large(peer: Peer, _received: Received) -> None:
    peer.send("HTTP/1.1 200 OK\r\n\r\n")
    peer.send(BODY + BODY)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@in_every_way
def test_large_bodies_have_their_hashes_next_to_failures(way: Way, server: FaultServer) -> None:
    expected = {
        "large-slow": BODY,
        "large-gzip": TEXT,
        "large-cut?1500000": None,
        "too-large": None,
        **{f"large?{size}": BODY[:size] for size in (10, 65_536, 65_537, 200_000, 1_000_000, 3_000_000)},
    }
    records = fetch_urls(way, [server.url(path) for path in expected], hash="sha256", max_filesize="3M")
    hashes = [body and hashlib.sha256(body).hexdigest() for body in expected.values()]
    assert [record.extra.get("sha256") for record in records] == hashes
    assert [record.error for record in records] == [None, None, "truncated", "too_large"] + [None] * 6


def test_saved_bodies_are_complete_and_nothing_is_left(server: FaultServer, tmp_path: Path) -> None:
    paths = ["large?2500000", "large-cut?1500000", "large-slow", "large-gzip"]
    records = fetch_urls(ASYNC, [server.url(path) for path in paths], save=str(tmp_path))
    assert [record.error for record in records] == [None, "truncated", None, None]
    saved = {path.stem: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert saved == {hashlib.sha256(body).hexdigest(): body for body in (BODY[:2_500_000], BODY, TEXT)}


def test_a_cancelled_body_leaves_nothing(server: FaultServer, tmp_path: Path) -> None:
    urls = [server.url(path) for path in ("large-silent?2000000", "large?1000000")]
    rows = fetchpool.fetch(urls, executor="async", save=str(tmp_path), per_host=0)
    assert next(rows).extra["sha256"] == hashlib.sha256(BODY[:1_000_000]).hexdigest()
    rows.close()
    assert [path.stem for path in tmp_path.rglob("*") if path.is_file()] == [
        hashlib.sha256(BODY[:1_000_000]).hexdigest()
    ]
