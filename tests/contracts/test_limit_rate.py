"""--limit-rate holds for all transfers together, with every transport and executor."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from fetchpool.config.configure import configure
from fetchpool.http.throttle import ByteRate
from tests.at_once import AtOnce
from tests.faults.matrix import Way, fetch_urls, in_every_way
from tests.recording_server import RecordingServer

waiting = AtOnce(server=RecordingServer)


@in_every_way
@pytest.mark.parametrize(("count", "size"), [(20, 10_000), (2, 100_000)], ids=["many small", "few large"])
@waiting
def test_all_bodies_together_stay_within_the_rate(
    way: Way, count: int, size: int, server: RecordingServer
) -> None:
    urls = [server.url(f"size/{size}?{number}") for number in range(count)]
    began = monotonic()
    records = fetch_urls(way, urls, limit_rate="200k", max_time="20s", read_timeout="1s", hash="sha256")
    seconds = monotonic() - began
    assert {(record.error, record.size_delivered) for record in records} == {(None, size)}
    assert seconds >= count * size / 204_800 * 0.9
    assert seconds < 6


@in_every_way
@waiting
def test_a_hop_that_waits_for_the_rate_has_its_deadline(way: Way, server: RecordingServer) -> None:
    began = monotonic()
    [record] = fetch_urls(way, [server.url("size/200000")], limit_rate="10k", max_time="500ms")
    assert record.error == "timeout_total"
    assert monotonic() - began < 5


def test_processes_share_the_rate_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rate"
    path.write_bytes(bytes(8))
    one, other = ByteRate(1000, str(path)), ByteRate(1000, str(path))
    first = one.charge(500)
    assert other.charge(500) == pytest.approx(first + 0.5)
    assert one.charge(1000) == pytest.approx(first + 1.5)


def test_a_low_rate_is_received_in_small_pieces() -> None:
    assert configure().fetch.buffersize == configure(limit_rate=0).fetch.buffersize == 256 * 1024
    assert configure(limit_rate="1k").fetch.buffersize == 1024
    assert configure(limit_rate="100k").fetch.buffersize == 5120
