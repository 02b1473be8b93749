"""The observer of `--progress json` with a reader that does not read."""

from __future__ import annotations

import json
import threading

from msgspec.structs import replace

from fetchpool.engine.events import Notice
from fetchpool.progress.json_progress import JsonProgress, Start
from tests.factories import RUNNING

START = Start(
    time="2026-01-01T00:00:00.000Z",
    version="1.0",
    executor="thread",
    transport="curl",
    workers=10,
    inputs=(),
    outputs=(),
    resume=False,
)


def test_a_reader_that_stops_reading_gets_all_notices_and_the_newest_snapshot() -> None:
    reads = threading.Event()
    written: list[bytes] = []

    def write(lines: bytes) -> None:
        written.append(lines)
        reads.wait()

    with JsonProgress(write, START) as progress:
        progress.on_start(RUNNING)
        while not written:
            reads.wait(0.001)
        for second in range(100):
            progress.on_snapshot(replace(RUNNING, elapsed=float(second)))
            progress.on_event(Notice(f"notice {second}"))
        reads.set()
        progress.on_finish(replace(RUNNING, elapsed=100.0))
    lines = [json.loads(line) for line in b"".join(written).splitlines()]
    assert lines[0]["type"] == "start"
    assert [line["message"] for line in lines if line["type"] == "notice"] == [
        f"notice {second}" for second in range(100)
    ]
    seconds = [line["elapsed"] for line in lines if line["type"] == "progress"]
    assert len(seconds) <= 3
    assert seconds[-1] == 100.0
