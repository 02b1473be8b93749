"""`--keep`: headers, redirects, body and text in the row, alike in every way of fetching and every format."""

from __future__ import annotations

import base64
import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]  # it ships no types

import fetchpool
from fetchpool.config.configure import configure
from fetchpool.model.errors import UsageError
from tests.cli.runner import fetchpool as run
from tests.faults.matrix import REQUESTS, Way, fetch_urls, in_every_way
from tests.faults.server import FaultServer, Peer, Received, scenario

PAGE = "<p>grüße\u202e\x7f\n".encode("latin-1", "xmlcharrefreplace") + b"\x9b"
TEXT = "<p>grüße&#8238;\x7f\n\u203a"


@scenario("kept")
def kept(peer: Peer, _: Received) -> None:
    peer.respond(PAGE, "Content-Type: text/html; charset=latin1", "X-Both: 1", "x-both: 2", 'ETag: "e"')


@scenario("kept-hop")
def kept_hop(peer: Peer, _: Received) -> None:
    peer.respond(b"", "Location: /kept-hop-2", status="301 Moved Permanently")


@scenario("kept-hop-2")
def kept_hop_2(peer: Peer, received: Received) -> None:
    # Another host: the hop goes back to the scheduler.
    peer.respond(b"", f"Location: http://localhost:{received.port}/kept", status="302 Found")


@scenario("kept-to-nowhere")
def kept_to_nowhere(peer: Peer, _: Received) -> None:
    peer.respond(b"", "Location: http://nowhere.invalid/", status="302 Found")


@scenario("kept-picture")
def kept_picture(peer: Peer, _: Received) -> None:
    peer.respond(b"\x89PNG\0\xff", "Content-Type: image/png")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def by_path(records: list[fetchpool.Record]) -> dict[str, dict[str, Any]]:
    return {record.url.rpartition("/")[2]: record.extra for record in records}


@in_every_way
def test_headers_redirects_body_and_text_are_in_the_row(server: FaultServer, way: Way) -> None:
    urls = [server.url(name) for name in ("kept", "kept-hop", "kept-picture", "absent")]
    rows = by_path(fetch_urls(way, urls, keep=["headers,redirects", "body", "text"]))
    assert rows["kept"]["headers"]["x-both"] == ["1", "2"]
    assert rows["kept"]["headers"]["etag"] == ['"e"']
    assert rows["kept"]["body"] == PAGE
    assert rows["kept"]["text"] == TEXT
    assert rows["kept"]["redirects"] == []
    assert rows["kept-hop"]["redirects"] == [
        {"url": server.url("kept-hop"), "response_code": 301},
        {"url": server.url("kept-hop-2"), "response_code": 302},
    ]
    assert rows["kept-hop"]["body"] == PAGE
    assert rows["kept-picture"]["body"] == b"\x89PNG\0\xff"
    assert rows["kept-picture"]["text"] is None
    assert rows["absent"].keys() == {"headers", "redirects"}  # a 404 has no body in its row


@in_every_way
def test_single_headers_are_kept_by_name(server: FaultServer, way: Way) -> None:
    (row,) = fetch_urls(way, [server.url("kept")], keep=["header:ETag", "header:X-Absent"])
    assert row.extra == {"headers": {"etag": ['"e"']}}
    assert row.content is None


def test_a_failure_of_a_later_hop_has_the_redirects_before_it(server: FaultServer) -> None:
    (row,) = fetchpool.fetch([server.url("kept-to-nowhere")], keep="redirects", retry=0)
    assert row.error == "dns"
    assert row.extra["redirects"] == [{"url": server.url("kept-to-nowhere"), "response_code": 302}]


def test_a_program_gets_the_content(server: FaultServer) -> None:
    (row,) = fetchpool.fetch([server.url("kept")], keep="body")
    assert row.content == PAGE
    with fetchpool.Pool(workers=1, keep="body") as pool:
        assert pool.submit(server.url("kept")).result().content == PAGE


def test_each_format_has_real_types_or_says_how_bytes_are_encoded(
    server: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "urls").write_text(
        f"{server.url('kept-hop')}\n{server.url('kept')}\n{server.url('absent')}\n"
    )
    outputs = [part for name in ("a.jsonl", "a.csv", "a.db", "a.parquet") for part in ("-o", name)]
    done = run("urls", "--keep", "headers,redirects", "--keep", "body,text", *outputs, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    encoded = base64.b64encode(PAGE).decode()

    lines = (tmp_path / "a.jsonl").read_text()
    rows = {row["url"]: row for row in map(json.loads, lines.splitlines())}
    row = rows[server.url("kept-hop")]
    assert (row["body"], row["body_encoding"], row["text"]) == (encoded, "base64", TEXT)
    assert row["redirects"][0]["response_code"] == 301
    assert "body_encoding" not in rows[server.url("absent")]
    assert "\x7f" not in lines  # a terminal that shows the row does nothing

    with (tmp_path / "a.csv").open(newline="") as table:
        cells = {row["url"]: row for row in csv.DictReader(table)}
    cell = cells[server.url("kept-hop")]
    assert (cell["body"], cell["body_encoding"]) == (encoded, "base64")
    assert json.loads(cell["redirects"])[1]["response_code"] == 302
    assert cells[server.url("absent")]["body"] == ""

    database = sqlite3.connect(tmp_path / "a.db")
    query = "SELECT body, text, headers ->> '$.etag[0]' FROM fetches WHERE url = ?"
    assert database.execute(query, [server.url("kept-hop")]).fetchone() == (PAGE, TEXT, '"e"')
    declared = dict(database.execute("SELECT name, type FROM pragma_table_info('fetches')"))
    assert (declared["body"], declared["text"]) == ("BLOB", "TEXT")
    database.close()

    table = parquet.read_table(tmp_path / "a.parquet")
    stored = {row["url"]: row for row in table.to_pylist()}[server.url("kept-hop")]
    assert (stored["body"], stored["text"]) == (PAGE, TEXT)
    assert [hop["response_code"] for hop in stored["redirects"]] == [301, 302]
    assert dict(stored["headers"])["x-both"] == ["1", "2"]
    assert {name: str(table.schema.field(name).type) for name in ("body", "text")} == {
        "body": "binary",
        "text": "string",
    }


def test_a_parquet_output_with_bodies_is_appended_to_and_compacted(
    server: FaultServer, tmp_path: Path
) -> None:
    """Also by a run that keeps nothing, and when the first part's columns have no value at all."""
    for name, options in [
        ("absent", ("--keep", "body,headers")),
        ("kept", ("--keep", "body,headers")),
        ("ok", ()),
    ]:
        (tmp_path / "urls").write_text(f"{server.url(name)}\n")
        run("urls", *options, "-o", "a.parquet", cwd=tmp_path)
    assert run("compact", "a.parquet", cwd=tmp_path).returncode == 0
    rows = {row["url"]: row for row in parquet.read_table(tmp_path / "a.parquet").to_pylist()}
    assert rows[server.url("kept")]["body"] == PAGE
    assert dict(rows[server.url("kept")]["headers"])["etag"] == ['"e"']
    assert rows[server.url("ok")]["body"] is None


def test_a_parser_s_field_of_the_same_name_is_renamed(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_text.py").write_text("def parse(response): return {'text': 'mine', 'size': 1}\n")
    monkeypatch.syspath_prepend(tmp_path)
    (row,) = fetch_urls(REQUESTS, [server.url("kept")], keep="text", parse="own_text:parse")
    assert row.extra == {"text": TEXT, "parse_text": "mine", "size": 1}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("bod", "did you mean body?"),
        ("Headers", "did you mean headers?"),
        ("header:", "expected the name of a header"),
        ("header:a b", "expected the name of a header"),
        ("", "is not one of headers, header:NAME, redirects, body, text, line"),
    ],
)
def test_other_values_are_refused(value: str, problem: str) -> None:
    with pytest.raises(UsageError, match="--keep") as refusal:
        configure(keep=value)
    assert problem in str(refusal.value)


def test_a_body_in_a_row_has_a_limit() -> None:
    assert configure(keep="body").fetch.max_filesize == 64 << 20
    assert configure(keep="headers").fetch.max_filesize == 1 << 30
    assert configure(keep="body", max_filesize="1M").fetch.max_filesize == 1 << 20
    with pytest.raises(UsageError, match=r"--max-filesize: .*--save"):
        configure(keep="text", max_filesize="2G")
