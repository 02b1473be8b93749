"""The live display: what is on the screen, and what is left on it."""

from __future__ import annotations

import errno
import io
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import TextIO

import pyte
import pytest
from rich.cells import cell_len
from rich.console import Console

from fetchpool.engine.events import ActiveRequest, Notice, RetryScheduled, Snapshot
from fetchpool.model.steering import State
from fetchpool.progress.display import MAX_PENDING, Progress
from fetchpool.progress.format import Span, Style, line
from fetchpool.progress.frame import frame
from fetchpool.progress.terminal import console, cut, show
from fetchpool.scheduler.waits import Wait, WaitReason
from tests.cli import runner
from tests.factories import all_ok, record, snapshot

ROOT = Path(__file__).parents[3]
WAIT = 20
"""Seconds that a test waits for another thread or process."""

STUCK = (
    ActiveRequest(
        "https://slow.example/a/long/path/to/a/report/that/never/ever/comes/2024-report.pdf?x=[/b]", 42.0
    ),
    ActiveRequest(
        "https://slow.example/日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語", 7.0
    ),
    ActiveRequest("https://quick.example/", 0.2),
)


def lines(shot: Snapshot, width: int = 79) -> list[str]:
    return [str(one) for one in frame(shot, width)]


class Screen:
    """A terminal of 24 lines on a pseudo-terminal; until `start()`, one that Ctrl-S has stopped."""

    def __init__(self, height: int = 24) -> None:
        self._master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (height, 80))
        self._screen = pyte.Screen(80, height)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._on_closed = False
        self._reading = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        self._reading.start()

    def until_full(self) -> None:
        """Until a terminal that has stopped takes no more: who writes to it waits."""
        full_by = monotonic() + WAIT
        while select.select([], [self.slave], [], 0)[1]:
            assert monotonic() < full_by
            sleep(0.01)

    def _read(self) -> None:
        while not self._on_closed:
            try:
                octets = os.read(self._master, 65536)
            except OSError:  # so Linux says that the other side was closed
                octets = b""
            with self._changed:
                self._on_closed = not octets
                self._stream.feed(octets)
                self._changed.notify_all()

    def rows(self) -> list[str]:
        """What is on it, without blank lines at the end."""
        rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def until(self, shown: Callable[[list[str]], bool]) -> list[str]:
        """The rows as soon as they are as wished."""
        with self._changed:
            assert self._changed.wait_for(lambda: shown(self.rows()), WAIT), self.rows()
            return self.rows()

    def colour(self, row: int) -> str:
        """Of the first character there."""
        return str(self._screen.buffer[row][0].fg)

    def at_the_end(self) -> list[str]:
        """What is left on it when all writers are gone."""
        os.close(self.slave)
        self._reading.join(WAIT)
        os.close(self._master)
        assert not self._screen.cursor.hidden
        return self.rows()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def stderr(screen: Screen) -> Iterator[TextIO]:
    """A stream onto the screen."""
    with os.fdopen(os.dup(screen.slave), "w", encoding="utf-8", buffering=1) as stream:
        yield stream


def test_the_display_has_three_lines() -> None:
    assert lines(snapshot()) == [
        "━━━━━━━━━━━━━╸──────────────────────────  34 %  33,402 of ~98,200  52 s left",
        "1,234 URLs/s  5.6 MB/s    10 in flight  212 waiting",
        "33,357 ok     45 failed   30 http_404, 10 dns, 4 tls, 1 others  17 retries",
    ]


def test_a_long_wait_has_a_line_of_its_own() -> None:
    wait = Wait(WaitReason.PAUSE, 60, 118.0, host="example.org", hosts=1, status=429)
    shown = lines(snapshot(wait=wait, slowest=STUCK))
    assert shown[3] == "60 waiting: example.org asked for a pause (429), again in 1:58"
    assert lines(snapshot(wait=wait), 40)[3] == "60 waiting: example.org …, again in 1:58"


def test_a_pipe_has_no_bar() -> None:
    shot = snapshot(total=None, eta=None)
    assert lines(shot)[0] == "33,402 done  in 26 s"


def test_the_bar_is_full_only_when_all_is_done() -> None:
    assert lines(all_ok(done=99_999, total=100_000, total_exact=True))[0].count("━") == 39
    assert lines(all_ok(done=5, total=5, total_exact=True, eta=0.0))[0] == "━" * 40 + " 100 %  5 of 5"


def test_a_stopping_run_shows_the_requests_in_flight_and_how_to_abort() -> None:
    shown = lines(snapshot(state=State.STOPPING, in_flight=1))
    assert shown[1] == "stopping: 1 request in flight  press Ctrl-C again to abort"
    assert "left" not in shown[0]


def test_requests_that_hang_are_named_the_longest_first() -> None:
    assert lines(snapshot(slowest=STUCK))[3:] == [
        "42 s          https://slow.example/a/long/path/to/a/r…es/2024-report.pdf?x=[/b]",
        "7.0 s         https://slow.example/日本語日本語日本語…日本語日本語日本語日本語",
    ]
    assert len(lines(snapshot(slowest=STUCK[2:]))) == 3


@pytest.mark.parametrize("width", [1, 7, 20, 40, 60, 79, 200])
@pytest.mark.parametrize("total", [None, 98_213])
@pytest.mark.parametrize("state", State)
def test_no_line_is_wider_than_the_terminal(width: int, total: int | None, state: State) -> None:
    shot = snapshot(slowest=STUCK * 2, total=total, state=state)
    shown = lines(shot, width)
    assert len(shown) == 6
    assert all(cell_len(row) <= max(width, 14) for row in shown)  # a time alone takes fourteen


def test_forty_columns_are_enough_for_the_most_important_segments() -> None:
    assert lines(snapshot(), 39) == [
        "━━━━╸─────────  34 %  33,402 of ~98,200",
        "1,234 URLs/s  5.6 MB/s    10 in flight",
        "33,357 ok     45 failed   17 retries",
    ]


def test_plain_ascii_does_where_the_terminal_has_no_more() -> None:
    shown = [str(one) for one in frame(snapshot(slowest=STUCK[:1]), 79, ascii_only=True)]
    assert shown[0].startswith("#############---------------------------  34 %")
    assert all(row.isascii() for row in shown)


@pytest.mark.parametrize(
    ("words", "width", "shown"),
    [
        ("http://example.org/", 19, "http://example.org/"),
        ("http://example.org/page", 15, "http://ex…/page"),
        ("日本語日本語", 12, "日本語日本語"),
        ("日本語日本語", 8, "日本…語"),
        ("http://example.org/", 1, "…"),
        ("http://example.org/", 0, ""),
    ],
)
def test_a_long_url_loses_its_middle(words: str, width: int, shown: str) -> None:
    assert cut(words, width) == shown


def test_it_redraws_in_place_and_is_gone_without_a_trace(screen: Screen, stderr: TextIO) -> None:
    screen.start()
    stderr.write("$ fetchpool urls.txt\n")
    with Progress(console(stderr)) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot(done=1, ok=1))
        screen.until(lambda rows: len(rows) == 4 and "  1 of ~98,200" in rows[1])
        progress.on_snapshot(snapshot(slowest=STUCK))
        screen.until(lambda rows: len(rows) == 6 and rows[4].startswith("42 s  "))
        progress.on_snapshot(snapshot(done=98_000))
        rows = screen.until(lambda rows: "  98,000 of ~98,200" in rows[1])
        assert len(rows) == 4  # what hung hangs no more
        progress.on_finish(snapshot())
    stderr.write("$ \n")
    stderr.close()
    assert screen.at_the_end() == ["$ fetchpool urls.txt", "$"]


def test_notices_and_failures_go_past_above_it_and_stay(screen: Screen, stderr: TextIO) -> None:
    screen.start()
    with Progress(console(stderr), verbose=True) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot())
        screen.until(lambda rows: len(rows) == 3)
        progress.on_event(Notice("a worker was lost; [red]its requests[/red] run again"))
        screen.until(lambda rows: len(rows) == 4)
        hostile = record(error="reset", url="http://h/[/foo]\x1b[2J\u202e")
        progress.on_records([record(), hostile])
        screen.until(lambda rows: len(rows) == 5 and rows[-1].startswith("33,357 ok"))
        progress.on_event(RetryScheduled(hostile, 1.0))
        progress.on_finish(snapshot())
    stderr.close()
    assert screen.at_the_end() == [
        "a worker was lost; [red]its requests[/red] run again",
        "failed reset http://h/[/foo]\\x1b[2J\\u202e",
        "retry reset http://h/[/foo]\\x1b[2J\\u202e (retrying in 1.0 s)",
    ]


def test_without_verbose_a_failure_is_only_counted(screen: Screen, stderr: TextIO) -> None:
    screen.start()
    with Progress(console(stderr)) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_records([record(error="dns")])
        progress.on_event(RetryScheduled(record(error="dns"), 1.0))
        progress.on_finish(snapshot())
    stderr.close()
    assert screen.at_the_end() == []


def test_a_run_of_a_blink_does_not_flicker() -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream, force_terminal=True)) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot(elapsed=0.1))
        progress.on_finish(snapshot(elapsed=0.2))
    assert stream.getvalue() == ""


def test_a_terminal_that_is_lower_than_the_display_is_left_clean_too() -> None:
    screen = Screen(height=4)
    screen.start()
    with (
        os.fdopen(os.dup(screen.slave), "w", encoding="utf-8") as stream,
        Progress(console(stream)) as progress,
    ):
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot(slowest=STUCK * 2))
        screen.until(lambda rows: len(rows) == 4)
        progress.on_finish(snapshot())
    assert screen.at_the_end() == []


def test_no_color_means_none(screen: Screen, stderr: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen.start()
    show(console(stderr), [line(Span("all failed", Style.BAD))])
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    show(console(stderr), [line(Span("all failed", Style.BAD))])
    rows = screen.until(lambda rows: len(rows) == 2)
    assert rows == ["all failed", "all failed"]
    assert [screen.colour(row) for row in (0, 1)] == ["default", "red"]


def test_the_summary_is_not_cut_to_the_terminal(screen: Screen, stderr: TextIO) -> None:
    screen.start()
    url = f"http://example.org/{'x' * 100}/[/foo]"
    show(console(stderr), [line("failed ", url), line("and more")])
    stderr.close()
    assert "".join(screen.at_the_end()) == f"failed {url}and more"


def test_a_terminal_that_has_stopped_does_not_stop_the_run(screen: Screen, stderr: TextIO) -> None:
    with Progress(console(stderr), verbose=True) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        records = [record(error="dns", url=f"http://h/{'x' * 60}")] * MAX_PENDING
        progress.on_records(records)  # a pseudo-terminal takes 4 kB, this is four times as much
        screen.until_full()
        for _ in range(20):
            progress.on_records(records)
            progress.on_snapshot(snapshot())
        screen.start()  # Ctrl-Q
        progress.on_finish(snapshot())
    stderr.close()
    assert "not shown" in screen.at_the_end()[-1]


class Window(io.StringIO):
    """A terminal whose window can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()
        self.closed_by_its_owner = False

    def write(self, text: str) -> int:
        if self.closed_by_its_owner:
            raise OSError(errno.EIO, "Input/output error")
        if "URLs/s" in text:
            self.written.set()
        return super().write(text)


def test_a_terminal_that_is_gone_is_not_an_error_and_standard_error_is_given_back() -> None:
    window = Window()
    before = sys.stderr
    with Progress(Console(file=window, force_terminal=True, width=80)) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot())
        assert window.written.wait(WAIT)
        window.closed_by_its_owner = True
        progress.on_snapshot(snapshot())
        progress.on_finish(snapshot())
    assert sys.stderr is before


def test_text_printed_during_the_run_appears_above_the_display(screen: Screen, stderr: TextIO) -> None:
    screen.start()
    with Progress(console(stderr)) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot())
        screen.until(lambda rows: len(rows) == 3)
        sys.stderr.write("a parser's own [word]\n")
        screen.until(lambda rows: len(rows) == 4)
        progress.on_finish(snapshot())
    stderr.close()
    assert screen.at_the_end() == ["a parser's own [word]"]


def run_in_a_terminal(screen: Screen, ending: str) -> subprocess.Popen[str]:
    """A program of its own with its standard error on the screen. It shows a picture, reads a line,
    and then does what `ending` says."""
    script = f"""
import sys
from fetchpool.progress.display import Progress
from fetchpool.progress.terminal import console
from tests.factories import record, snapshot

try:
    with Progress(console(sys.stderr), verbose=True) as progress:
        progress.on_start(snapshot(elapsed=0.0))
        progress.on_snapshot(snapshot())
        sys.stdin.readline()
        {ending}
except KeyboardInterrupt:
    sys.exit(130)
"""
    return runner.popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=screen.slave,
        text=True,
        bufsize=1,
    )


def test_an_exception_leaves_the_terminal_clean_and_is_shown(screen: Screen) -> None:
    screen.start()
    with run_in_a_terminal(screen, "raise SystemExit('the disk is full')") as program:
        screen.until(lambda rows: len(rows) == 3)
        program.communicate("go on\n", timeout=WAIT)
    assert screen.at_the_end() == ["the disk is full"]


def interrupted(program: subprocess.Popen[str]) -> int:
    """Its exit code after Ctrl-C. A signal just before Python blocks is handled only when it wakes up: a user
    presses again then, and so does the test."""
    for _ in range(5):
        program.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return program.wait(WAIT / 5)
    return program.wait(0)


def test_an_interrupt_leaves_the_terminal_clean(screen: Screen) -> None:
    screen.start()
    with run_in_a_terminal(screen, "") as program:
        screen.until(lambda rows: len(rows) == 3)
        assert interrupted(program) == 130
    assert screen.at_the_end() == []


def test_an_interrupt_ends_the_wait_for_a_terminal_that_has_stopped(screen: Screen) -> None:
    flood = "progress.on_records([record(error='dns', url='http://h/' + 'x' * 100)] * 200); "
    ending = flood + "print('finishing', flush=True); progress.on_finish(snapshot())"
    with run_in_a_terminal(screen, ending) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write("go on\n")
        assert program.stdout.readline() == "finishing\n"
        assert interrupted(program) == 130
