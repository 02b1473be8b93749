"""The log file: its lines, levels and gaps."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool.engine.events import EventKind, Notice, ReadBack, RetryScheduled
from fetchpool.model.errors import UsageError
from fetchpool.progress import event_logger, log_file
from fetchpool.progress.event_logger import PROGRESS_INTERVAL, EventLogger
from fetchpool.progress.log_entry import LEVELS, Level, LogEntry
from fetchpool.progress.log_file import LogFile, LogFileOptions
from fetchpool.scheduler.host_change import HostChange
from tests.factories import FINE, RUNNING

FAILED = replace(FINE, error="http_404", errormsg="the server answered 404", response_code=404)
HOSTILE = "http://example.org/\x1b[2J\n\u202e\x9b<script>"


def everything(log: EventLogger) -> None:
    """Have all kinds of events but the first and the last."""
    log.on_event(ReadBack(1_234))
    log.on_event(Notice("a notice"))
    log.on_event(Notice("paused by a key", EventKind.STEERED))
    log.on_event(HostChange("busy.example", 2.0, 429))
    log.on_event(HostChange("down.example", 60.0, is_down=True))
    log.on_event(Notice("worker crashed", EventKind.WORKER_LOST))
    log.on_event(RetryScheduled(FAILED, 2.0))
    log.on_records([FINE, FAILED])
    for second in (0.0, PROGRESS_INTERVAL - 1.0, PROGRESS_INTERVAL, PROGRESS_INTERVAL + 1.0):
        log.on_snapshot(replace(RUNNING, elapsed=second))


def logged(path: Path, level: Level = Level.INFO) -> list[dict[str, Any]]:
    log = LogFile(LogFileOptions(str(path), level=level), "fetchpool begins")
    everything(log)
    log.end("3 URLs", 1, RUNNING)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_kind_of_event_has_its_level(tmp_path: Path) -> None:
    found = logged(tmp_path / "run.jsonl", Level.DEBUG)
    assert [line["event"] for line in found] == [kind.value for kind in EVENTS]
    assert [line["level"] for line in found] == [LEVELS[kind].value for kind in EVENTS]
    assert set(EVENTS) == set(EventKind)
    for level in Level:
        expected = [kind.value for kind in EVENTS if LEVELS[kind].number >= level.number]
        assert [line["event"] for line in logged(tmp_path / f"{level.value}.jsonl", level)] == expected


EVENTS = (
    EventKind.STARTED,
    EventKind.READ_BACK,
    EventKind.NOTICE,
    EventKind.STEERED,
    EventKind.HOST_COOLING,
    EventKind.HOST_DOWN,
    EventKind.WORKER_LOST,
    EventKind.RETRYING,
    EventKind.FAILED,
    EventKind.PROGRESS,
    EventKind.ENDED,
)


def test_entries_have_the_fields_of_their_row_host_or_snapshot(tmp_path: Path) -> None:
    by_event = {line["event"]: line for line in logged(tmp_path / "run.jsonl", Level.DEBUG)}
    failed = by_event["failed"]
    assert (failed["url"], failed["error"], failed["response_code"]) == (FAILED.url, "http_404", 404)
    assert by_event["retrying"]["seconds"] == 2.0
    assert (by_event["host_cooling"]["host"], by_event["host_cooling"]["status"]) == ("busy.example", 429)
    assert by_event["host_down"]["message"] == (
        "down.example does not respond: queued requests end as host_down, next attempt in 1 min 00 s"
    )
    assert (by_event["ended"]["done"], by_event["ended"]["exit_code"]) == (RUNNING.done, 1)
    assert all(
        re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in by_event.values()
    )


def test_text_has_time_level_and_message(tmp_path: Path) -> None:
    log = LogFile(LogFileOptions(str(tmp_path / "run.log")), "fetchpool begins")
    log.on_event(HostChange("down.example", 60.0, is_down=True))
    log.end("3 URLs", 3, RUNNING, is_error=True)
    first, second, third = (tmp_path / "run.log").read_text().splitlines()
    assert re.fullmatch(r"\S{24} INFO    fetchpool begins", first)
    assert re.fullmatch(r"\S{24} WARNING down\.example does not respond: .*", second)
    assert re.fullmatch(r"\S{24} ERROR   3 URLs; exit code 3", third)


@pytest.mark.parametrize("name", ["run.log", "run.jsonl"])
def test_no_text_of_a_server_or_list_can_start_a_line_or_move_a_cursor(tmp_path: Path, name: str) -> None:
    log = LogFile(LogFileOptions(str(tmp_path / name), level=Level.DEBUG), "fetchpool begins")
    log.on_records([replace(FAILED, url=HOSTILE, errormsg=HOSTILE)])
    log.on_event(Notice(HOSTILE))
    log.on_event(HostChange(HOSTILE, 1.0))
    log.end(HOSTILE, 1, None)
    lines = (tmp_path / name).read_text().split("\n")
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)


def test_a_log_that_cannot_be_opened_is_an_error_before_the_run(tmp_path: Path) -> None:
    for path, reason in (("absent/log", "No such file"), (".", "Is a directory"), ("a\0b", "null")):
        with pytest.raises(UsageError, match=f"--log-file: .*{reason}"):
            LogFile(LogFileOptions(str(tmp_path / path)), "")


def test_a_full_disk_is_one_notice_and_a_gap() -> None:
    log = LogFile(LogFileOptions("/dev/full"), "fetchpool begins")
    everything(log)
    log.end("3 URLs", 1, None)
    assert (
        log.take_problem() == "/dev/full: No space left on device; log entries are missing; the run continues"
    )
    assert log.take_problem() == ""


def test_when_there_is_space_again_the_log_says_how_much_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.log"
    path.parent.mkdir()
    log = LogFile(LogFileOptions(str(path)), "fetchpool begins")
    wait_for(lambda: path.stat().st_size > 0)
    path.parent.rename(tmp_path / "moved")
    log.on_event(Notice("lost"))
    log.on_event(Notice("lost"))
    wait_for(lambda: bool(log._missing))
    path.parent.mkdir()
    log.end("3 URLs", 1, None)
    gap, ended = path.read_text().splitlines()
    assert gap.endswith("2 lines missing here: the log could not be written")
    assert ended.endswith("3 URLs; exit code 1")
    assert "log entries are missing" in log.take_problem()


def test_a_log_that_is_not_read_does_not_keep_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "CLOSE_TIMEOUT", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = LogFile(LogFileOptions(str(path)), "x" * 200_000)
    log.end("3 URLs", 1, None)
    os.set_blocking(reader, True)
    with open(reader, "rb") as lines:  # noqa: PTH123 - a descriptor
        assert len(lines.readlines()) == 2


def wait_for(condition: Any) -> None:
    for _ in range(3_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen")


def test_a_writer_that_blocks_holds_up_neither_the_run_nor_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_logger, "MAX_PENDING", 10)
    continues = threading.Event()
    entries: list[LogEntry] = []

    def write(batch: list[LogEntry]) -> None:
        continues.wait()
        entries.extend(batch)

    log = EventLogger(write, Level.INFO, "begins")
    for number in range(100):
        log.on_event(Notice(f"{number}"))
    continues.set()
    log.close()
    texts = [entry.message for entry in entries]
    assert 11 <= len(texts) <= 30
    assert any(text.endswith("more lines not shown)") for text in texts)
