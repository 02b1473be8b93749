"""`--log-file`: what the log of a command says, and what happens when it can't be written."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.scheduler.host import FAILURE_THRESHOLD
from tests.cli.environment import environment
from tests.cli.runner import FETCHPOOL, fetchpool
from tests.faults.scenarios import further  # noqa: F401 - registers `busy`
from tests.faults.server import FaultServer
from tests.faults.test_disk import SmallDisk

ABSENT = ("log_entry", "event_logger", "log_file", "rotating_file", "json_progress", "python_logger")
PARSER = """
import os
from pathlib import Path

def move(response):
    Path("run.jsonl").rename("run.jsonl.old")
    return {}

def interrupt(response):
    import signal, time
    os.kill(os.getpid(), signal.SIGINT)
    while not signal.getsignal(signal.SIGINT).__self__._count:
        time.sleep(0.001)
    return {}

def loaded(response):
    import sys
    names = [name for name in sys.modules if name.startswith(("fetchpool.progress.", "fetchpool.cli."))]
    return {"loaded": " ".join(names)}
"""


@pytest.fixture(autouse=True)
def lists(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url("/bytes/1"), demo_server.url("/status/404")]
    (tmp_path / "urls").write_text("".join(f"{url}\n" for url in urls))
    (tmp_path / "one").write_text(f"{urls[0]}\n")
    (tmp_path / "parsers.py").write_text(PARSER)


def logged(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_is_logged_from_its_start_to_its_exit_code(tmp_path: Path) -> None:
    done = fetchpool("urls", "-o", "rows", "-q", "--log-file", "run.log", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert stat.S_IMODE((tmp_path / "run.log").stat().st_mode) == 0o600
    started, ended = (tmp_path / "run.log").read_text().splitlines()
    assert ": urls to rows, 10 workers, thread, curl" in started
    assert ended.endswith("1 ok, 1 failed; exit code 1")


def test_a_second_run_continues_the_log_with_what_it_read_back(tmp_path: Path) -> None:
    options = ("urls", "-o", "rows", "--log-file", "run.jsonl", "--log-level", "debug", "--retry", "0")
    fetchpool(*options, cwd=tmp_path)
    fetchpool(*options, "--resume", cwd=tmp_path)
    found = logged(tmp_path / "run.jsonl")
    first, second = ["started", "failed", "ended"], ["started", "notice", "read_back", "ended"]
    assert [line["event"] for line in found] == [*first, *second]
    assert found[1]["url"].endswith("/status/404")
    assert found[-2]["message"] == "read 2 rows of earlier runs"


def test_hosts_that_back_off_or_do_not_respond_are_logged(tmp_path: Path) -> None:
    with FaultServer() as server:
        (tmp_path / "busy").write_text(server.url("busy?429,60"))
        fetchpool("busy", "-o", "rows", "--retry", "0", "--log-file", "busy.jsonl", cwd=tmp_path)
    with socket.socket() as closed:  # it does not listen
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        urls = [f"http://127.0.0.1:{port}/{number}\n" for number in range(FAILURE_THRESHOLD)]
        (tmp_path / "refused").write_text("".join(urls))
        fetchpool("refused", "-o", "rows", "--retry", "0", "--log-file", "refused.jsonl", cwd=tmp_path)
    for name, status in (("busy", 429), ("refused", None)):
        (cooling,) = [line for line in logged(tmp_path / f"{name}.jsonl") if line["event"] == "host_cooling"]
        assert (cooling["host"], cooling.get("status")) == ("127.0.0.1", status)


def test_no_password_is_in_the_log(demo_server: DemoServer, tmp_path: Path) -> None:
    url = demo_server.url("/status/404").replace("//", "//name:secret@")
    arguments = (url, "-u", "name:secret", "-H", "X-Key: secret", "--log-level", "debug", "-v")
    done = fetchpool(*arguments, "-o", "rows", "--log-file", "run.jsonl", "--progress", "json", cwd=tmp_path)
    for text in (done.stderr, (tmp_path / "run.jsonl").read_text()):
        assert "***@" in text
        assert "secret" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "level"),
    [
        (("absent",), 2, "error"),
        (("urls", "-o", "/dev/full"), 3, "error"),
        (("urls", "--max-failures", "1", "-w", "1"), 1, "info"),
    ],
)
def test_the_log_says_how_a_run_ended(
    tmp_path: Path, arguments: tuple[str, ...], code: int, level: str
) -> None:
    done = fetchpool(*arguments, "--log-file", "run.jsonl", cwd=tmp_path)
    ended = logged(tmp_path / "run.jsonl")[-1]
    assert (ended["event"], ended["exit_code"], ended["level"]) == ("ended", code, level)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--log-file", "rows"), "--log-file: rows is also an output; choose another name"),
        (("--log-file", "urls"), "--log-file: urls is also an input; choose another name"),
        (("--log-file", "rows.1", "-o", "rows.1.3"), "--log-file: rows.1.3 is also an output"),
        (("--log-file", "a.warc.gz", "--warc", "a.warc.gz"), "--log-file: a.warc.gz is also an output"),
        (("--log-file", "-"), "--log-file: expected the name of a file"),
        (("--log-level", "info"), "--log-level needs --log-file"),
        (("--log-file", "log", "--log-level", "loud"), "'loud' is not one of debug, info, warning, error"),
        (("--log-file", "log", "--log-max-size", "much"), "--log-max-size: 'much'"),
        (("--log-file", "log", "--log-keep", "-1"), "--log-keep"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_invalid_options_are_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    before = (tmp_path / "urls").read_bytes()
    done = fetchpool("urls", "-o", "rows", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert (tmp_path / "urls").read_bytes() == before


def test_a_log_is_rotated_while_the_run_goes_on(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "many").write_text("".join(f"{demo_server.url('/status/404')}?log{n}\n" for n in range(300)))
    options = ("--log-file", "run.jsonl", "--log-level", "debug", "--log-max-size", "20k", "--log-keep", "3")
    fetchpool("many", "-o", "rows", "-q", "--retry", "0", *options, cwd=tmp_path)
    files = [tmp_path / "run.jsonl", *(tmp_path / f"run.jsonl.{number}" for number in (1, 2, 3))]
    assert sorted(tmp_path.glob("run.jsonl*")) == files
    assert all(each.stat().st_size <= 20 << 10 for each in files)
    events = [line["event"] for each in reversed(files) for line in logged(each)]
    assert events[-1] == "ended"
    assert set(events[:-1]) == {"failed"}


def test_a_log_that_logrotate_has_moved_is_continued_in_a_new_file(tmp_path: Path) -> None:
    options = ("--log-file", "run.jsonl", "--log-level", "debug", "-w", "1", "--parse", "parsers:move")
    fetchpool("urls", "-o", "rows", *options, cwd=tmp_path)
    assert logged(tmp_path / "run.jsonl")[-1]["event"] == "ended"


def test_a_full_disk_is_one_notice_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    disk = SmallDisk(tmp_path / "disk")
    try:
        (disk.directory / "run.jsonl").write_bytes(b"x" * (disk.SIZE - 1) + b"\n")
        arguments = ("../urls", "-o", "../rows", "--log-file", "run.jsonl", "--no-progress")
        done = disk.fetchpool(*arguments)
    finally:
        disk.close()
    assert done.returncode == 1
    assert (tmp_path / "rows").read_text().count("\n") == 2
    assert done.stderr.count("log entries are missing; the run continues") == 1


def test_an_interrupt_is_in_the_log(tmp_path: Path) -> None:
    options = ("--log-file", "run.jsonl", "-w", "1", "--parse", "parsers:interrupt")
    assert fetchpool("urls", "-o", "rows", *options, cwd=tmp_path).returncode == 130
    ended = logged(tmp_path / "run.jsonl")[-1]
    assert (ended["event"], ended["exit_code"]) == ("ended", 130)
    assert ended["message"].startswith("interrupted after")


def test_without_the_options_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    command = [*FETCHPOOL, "one", "-o", "rows.jsonl", "--parse", "parsers:loaded", "-q"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = json.loads((tmp_path / "rows.jsonl").read_text())["loaded"].split()
    assert "fetchpool.progress.summary" in loaded
    assert not {f"fetchpool.progress.{name}" for name in ABSENT} & set(loaded)
    assert "fetchpool.cli.json_stderr" not in loaded
