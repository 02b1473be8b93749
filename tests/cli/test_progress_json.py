"""`--progress json`: every line on standard error is an object, however the command ends, and the last one is
the summary with its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.json_stderr import ExitSummary
from fetchpool.engine.events import Snapshot
from fetchpool.progress.json_progress import INTERVAL, ErrorMessage, LineType, Start
from fetchpool.progress.log_entry import LogEntry
from fetchpool.progress.summary_json import Summary
from tests.cli.runner import FETCHPOOL, PATIENCE, fetchpool, start
from tests.cli.runner import run as run_command
from tests.cli.test_interrupt import full_pipe

TYPES = get_args(LineType)
KINDS: dict[str, type[Struct]] = {
    "start": Start,
    "progress": Snapshot,
    "notice": LogEntry,
    "failure": LogEntry,
    "error": ErrorMessage,
    "summary": Summary,
}
"""What docs/reference/progress-json.md is made from."""
PARSERS = """
import os, signal, sys, time

def presses():
    return signal.getsignal(signal.SIGINT).__self__._count

def press(number=signal.SIGINT):
    before = presses()
    os.kill(os.getpid(), number)
    while presses() == before:
        time.sleep(0.001)

def once(response):
    press()
    return {}

def twice(response):
    press(), press()
    return {}

def thrice(response):
    press()
    sys.setswitchinterval(60)  # nothing else runs between the second and the third
    os.kill(os.getpid(), signal.SIGINT), os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

def terminated(response):
    press(signal.SIGTERM)
    return {}

def killed(response):
    os.kill(os.getpid(), signal.SIGKILL)

def noisy(response):
    print("to\\x1b[2J stdout")
    sys.stderr.write("no line end")
    os.write(2, b"\\xff bytes, and {\\n")
    return {}
"""


@pytest.fixture(autouse=True)
def lists(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url("/bytes/1"), demo_server.url("/status/404"), demo_server.url("/bytes/2")]
    (tmp_path / "urls").write_text("".join(f"{url}\n" for url in urls))
    (tmp_path / "one").write_text(f"{urls[0]}\n")
    (tmp_path / "parsers.py").write_text(PARSERS)


def objects(stderr: str | bytes, code: int) -> list[dict[str, Any]]:
    """The lines; each is a complete object of a known type, and the last one is the only summary."""
    text = stderr.decode() if isinstance(stderr, bytes) else stderr
    assert text.endswith("\n")
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for line in found:
        kind = ExitSummary if set(line) == {"type", "exit_code"} else KINDS[line["type"]]
        assert set(line) <= {"type", "time", *kind.__struct_fields__}
        msgspec.convert(line, kind)
    assert all(next(iter(line)) == "type" and line["type"] in TYPES for line in found)
    assert [line["type"] for line in found].count("summary") == 1
    assert (found[-1]["type"], found[-1]["exit_code"]) == ("summary", code)
    return found


def run(*arguments: str, cwd: Path, code: int) -> list[dict[str, Any]]:
    done = fetchpool(*arguments, "--progress", "json", cwd=cwd)
    assert done.returncode == code, done.stderr
    return objects(done.stderr, code)


def of_type(wanted: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["type"] == wanted]


def messages(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in lines if line["type"] in ("notice", "error")]


def test_a_run_begins_goes_on_and_ends(tmp_path: Path) -> None:
    lines = run("urls", "-o", "rows.jsonl", cwd=tmp_path, code=1)
    assert lines[0]["type"] == "start"
    assert (lines[0]["inputs"], lines[0]["outputs"]) == (
        ["urls"],
        [{"path": "rows.jsonl", "format": "jsonl"}],
    )
    progress = of_type("progress", lines)
    assert list(progress[-1])[2:] == list(Snapshot.__struct_fields__)
    assert (progress[-1]["done"], progress[-1]["ok"], progress[-1]["in_flight"]) == (3, 2, 0)
    assert progress[-1]["state"] == "ended"
    assert (lines[-1]["urls"], lines[-1]["by_kind"]) == (3, {"http_404": 1})
    assert not of_type("failure", lines)


def test_there_is_a_line_a_second(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "slow").write_text(demo_server.url("/delay/2300?json"))
    progress = of_type("progress", run("slow", "-o", "rows", cwd=tmp_path, code=0))
    seconds = [line["elapsed"] for line in progress[:-1]]
    assert 3 <= len(seconds) <= 1 + seconds[-1] / INTERVAL
    assert 1 in [line["in_flight"] for line in progress]
    assert all(later - earlier >= INTERVAL for earlier, later in pairwise(seconds))


def test_verbose_adds_failures_with_the_fields_of_the_row(tmp_path: Path) -> None:
    lines = run("urls", "-o", "rows", "-v", "--retry", "0", cwd=tmp_path, code=1)
    (failure,) = of_type("failure", lines)
    assert (failure["event"], failure["error"], failure["response_code"]) == ("failed", "http_404", 404)
    assert failure["url"].endswith("/status/404")


def test_verbose_adds_retries_as_notices(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "flaky").write_text(demo_server.url("/flaky/1?progress-json"))
    lines = run("flaky", "-o", "rows", "-v", "--retry-delay", "0.01", cwd=tmp_path, code=0)
    (retry,) = [line for line in of_type("notice", lines) if line["event"] == "retrying"]
    assert retry["error"] == "http_500"
    assert retry["seconds"] > 0
    assert not of_type("failure", lines)


def test_quiet_leaves_the_summary(tmp_path: Path) -> None:
    (summary,) = run("urls", "-o", "rows", "-q", cwd=tmp_path, code=1)
    assert summary["failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["urls", "--wrong"], 2, "no such option: --wrong"),
        (["urls", "-w", "many"], 2, "--workers"),
        (["urls", "--timeout"], 2, "--timeout"),
        (["absent"], 2, "absent"),
        (["urls", "-o", "absent/rows"], 2, "absent"),
        (["urls", "-o", "/dev/full"], 3, "No space left"),
        (["urls", "-o", "rows", "--log-file", "absent/log"], 2, "--log-file: absent/log"),
        (["compact", "absent.jsonl"], 2, "--progress"),
        (["urls", "--no-progress"], 2, "--progress and --no-progress are mutually exclusive"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_an_object_before_the_summary(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (error,) = of_type("error", run(*arguments, cwd=tmp_path, code=code))
    assert message in error["message"]


def test_without_an_input_there_is_an_error_as_well(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b")
    (error,) = of_type("error", run("cut.gz", "-o", "rows", cwd=tmp_path, code=2))
    assert error["message"].startswith("cut.gz")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("urls", "--dry-run"),
        ("demo", "-n", "3"),
        ("urls", "-o", "-", "-W", "%{url}"),
    ],
    ids=" ".join,
)
def test_what_is_printed_on_standard_output_stays_there(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = fetchpool(*arguments, "--progress=json", cwd=tmp_path)
    objects(done.stderr, done.returncode)
    assert bool(done.stdout) == (arguments[0] != "demo")
    assert '"type"' not in done.stdout


@pytest.mark.parametrize(
    ("parser", "code", "interrupted"),
    [("once", 130, True), ("twice", 130, True), ("terminated", 143, True), ("noisy", 1, False)],
)
def test_a_signal_ends_in_a_summary_of_the_run(
    tmp_path: Path, parser: str, code: int, interrupted: bool
) -> None:
    arguments = ("urls", "-w", "1", "--parse", f"parsers:{parser}", "-o", "rows")
    lines = run(*arguments, cwd=tmp_path, code=code)
    assert lines[-1]["interrupted"] is interrupted
    announced = [message for message in messages(lines) if message.startswith("finishing")]
    assert len(announced) <= (1 if interrupted else 0)


def test_a_process_that_exits_at_once_writes_a_summary(tmp_path: Path) -> None:
    arguments = ("urls", "-w", "1", "--parse", "parsers:thrice", "-o", "rows")
    assert run(*arguments, cwd=tmp_path, code=143)[-1] == {"type": "summary", "exit_code": 143}


def test_a_lost_worker_is_a_notice_of_its_own_kind(tmp_path: Path) -> None:
    arguments = ("one", "--executor", "process", "-w", "1", "--parse", "parsers:killed", "-o", "rows")
    lines = run(*arguments, cwd=tmp_path, code=1)
    assert "worker_lost" in [line["event"] for line in of_type("notice", lines)]
    assert lines[-1]["by_kind"] == {"internal": 1}


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_what_a_parser_prints_is_a_notice(tmp_path: Path, executor: str) -> None:
    arguments = ("one", "--executor", executor, "-w", "1", "--parse", "parsers:noisy", "-o", "-")
    done = fetchpool(*arguments, "--progress", "json", cwd=tmp_path)
    text = "".join(messages(objects(done.stderr, 0)))
    assert "to\\x1b[2J stdout" in text
    assert "no line end\\xff bytes, and {" in text
    assert done.stdout.count("\n") == 1


def test_a_reader_of_the_rows_that_has_enough_ends_the_run(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "many").write_text("".join(f"{demo_server.url('/bytes/1')}?pipe{n}\n" for n in range(400)))
    process = start("many", "-o", "-", "--progress", "json", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(timeout=PATIENCE)
    lines = objects(stderr, process.returncode)
    assert process.returncode == 0
    assert lines[-1]["urls"] > 0


def test_a_bug_is_an_error_with_its_traceback(tmp_path: Path) -> None:
    script = (
        "import sys; from fetchpool.cli.json_stderr import run_with_json\n"
        "def fail():\n print('before', file=sys.stderr)\n raise ZeroDivisionError('a bug')\n"
        "sys.exit(run_with_json(fail))"
    )
    done = run_command([sys.executable, "-c", script], capture_output=True, cwd=tmp_path)
    error, notice, _ = sorted(objects(done.stderr, 1), key=lambda line: str(line["type"]))
    assert error["message"] == "internal error: ZeroDivisionError('a bug')"
    assert error["traceback"].startswith("Traceback")
    assert notice["message"] == "before"
    assert done.returncode == 1


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_standard_error_that_cannot_be_written_changes_nothing(tmp_path: Path, closed_pipe: int) -> None:
    with Path("/dev/full").open("wb") as full:
        for number, stderr in enumerate((full, closed_pipe)):
            command = [*FETCHPOOL, "urls", "-o", f"rows{number}", "--progress", "json"]
            done = run_command(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=stderr)
            assert done.returncode == 1
            assert (tmp_path / f"rows{number}").read_text().count("\n") == 3


@pytest.mark.parametrize("option", ["--progress", "--summary"])
def test_a_file_name_that_is_not_utf8_is_in_the_summary(tmp_path: Path, option: str) -> None:
    name = os.fsdecode(b"rows\xff\x1b")
    done = fetchpool("one", "-o", name, option, "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["outputs"][0]["path"] == name
    assert done.stderr.replace("\n", "").isprintable()


def test_the_environment_and_a_file_can_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "with.toml").write_text('progress = "json"\n')
    for arguments, code in ((("one",), 0), (("urls", "-w", "0"), 2), (("demo", "-n", "1", "-w", "0"), 2)):
        done = fetchpool(*arguments, "--config", "with.toml", cwd=tmp_path)
        objects(done.stderr, code)
        environment = {"FETCHPOOL_PROGRESS": "json"}
        objects(fetchpool(*arguments, cwd=tmp_path, env=environment).stderr, code)
    objects(fetchpool("one", "--wrong", cwd=tmp_path, env=environment).stderr, 2)
    for wrong in ("nosuch = 1", "workers = ", 'output = ["a"]\nwrong'):
        (tmp_path / "wrong.toml").write_text(f'progress = "json"\n{wrong}\n')
        said = objects(fetchpool("one", "--config", "wrong.toml", cwd=tmp_path).stderr, 2)
        assert "wrong.toml" in str(said)
        plain = fetchpool("one", "--config", "wrong.toml", "--progress", "none", cwd=tmp_path)
        assert plain.stderr.startswith("fetchpool: --config: wrong.toml: ")
    for arguments in (("one", "--no-progress"), ("compact", "sizes.txt")):
        assert '"type"' not in fetchpool(*arguments, cwd=tmp_path, env=environment).stderr


def test_a_reader_that_has_stopped_reading_does_not_hold_up_the_third_ctrl_c(tmp_path: Path) -> None:
    command = [*FETCHPOOL, "urls", "-w", "1", "--parse", "parsers:thrice", "-o", "rows", "--progress", "json"]
    with full_pipe() as pipe:
        done = run_command(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=pipe)
    assert done.returncode == 143


def test_ctrl_c_before_the_run_is_a_summary_as_well(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    process = start("list", "-o", "rows", "--progress", "json", "--resume", cwd=tmp_path)
    assert process.stderr is not None
    with (tmp_path / "list").open("wb"):  # the command has opened the list
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    objects(stderr, 130)
    assert process.returncode == 130
