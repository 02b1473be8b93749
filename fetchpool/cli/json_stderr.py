"""Turns standard error into lines of JSON (`--progress json`): everything that a command or its children
print there, and one `summary` with the exit code at the end.

In: a command. Out: its exit code. Meanwhile descriptor 2 is a pipe, whose reader turns text that is not JSON
(from a parser, a library or the interpreter) into `notice` lines. Afterwards it is the null device.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec import Struct

from fetchpool.cli.errors import print_errors_with
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.signals import terminable
from fetchpool.engine.events import EventKind
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.model.timestamp import utc_now
from fetchpool.progress.complete_lines import write_lines
from fetchpool.progress.json_progress import ErrorMessage, entry_line, typed_line
from fetchpool.progress.log_entry import message_entry
from fetchpool.progress.summary_json import Summary
from fetchpool.runtime import threads

STDERR = 2
PIPE_SIZE = 1 << 20
"""Size of the pipe in bytes: C code may print this much while it keeps the interpreter from reading."""
MAX_LINE = 1 << 16
"""Maximum bytes of printed text per `notice`; a longer line becomes several."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOCK_TIMEOUT = 0.2
"""Seconds to wait for a line that is being written when the process must exit at once."""


class ExitSummary(Struct, frozen=True):
    """The summary of a command that has fetched nothing."""

    exit_code: int


class JsonStderr:
    """Descriptor 2 as lines of JSON, until `finish()`."""

    def __init__(self) -> None:
        sys.stderr.flush()
        self._descriptor = os.dup(STDERR)
        self._lock = threading.Lock()
        self._is_finished = False
        self.code = 0
        """The exit code in the summary."""
        self.summary: Callable[[int], Summary] | None = None
        """Makes the summary of the run from the exit code of the command; None before the run has one."""
        self._mark = secrets.token_hex().encode()
        reader, writer = os.pipe()
        with suppress(AttributeError, OSError):  # not Linux, or not allowed
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        os.dup2(writer, STDERR)
        os.close(writer)
        self._relay = threads.start(self._relay_text, "fetchpool-stderr", reader)

    def write(self, lines: bytes) -> None:
        """Write complete lines. Does nothing if the reader has closed the pipe, or the disk is full."""
        with self._lock:
            if not self._is_finished:
                write_lines(self._descriptor, lines)

    def error(self, message: str, trace: str | None = None) -> None:
        """Write an `error`."""
        self.write(typed_line("error", ErrorMessage(utc_now(), escape_invisible(message), trace)))

    def finish(self, code: int) -> None:
        """Write the printed text, then the summary. Nothing is written afterwards."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # its reader is gone, or it was closed
                stream.flush()
        write_lines(STDERR, b"\n%s\n" % self._mark)
        self._relay.join()
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, STDERR)
            os.close(nothing)
        with self._lock:
            self._is_finished, self.code = True, code  # even if a signal ends the process from here on
            write_lines(self._descriptor, self._summary_line(code))

    def finish_at_once(self, code: int) -> None:
        """Write the summary, unless it is written already or the reader does not read. For a process that
        exits at once; also in a signal handler, which may have interrupted `write()`."""
        if not self._is_finished:
            self.code = code
        if not self._lock.acquire(timeout=LOCK_TIMEOUT):
            return
        with suppress(OSError, ValueError):
            if not self._is_finished and select.select([], [self._descriptor], [], 0)[1]:
                self._is_finished = True
                os.write(self._descriptor, typed_line("summary", ExitSummary(code)))
        self._lock.release()

    def _summary_line(self, code: int) -> bytes:
        return typed_line("summary", ExitSummary(code) if self.summary is None else self.summary(code))

    def _relay_text(self, reader: int) -> None:
        with open(reader, "rb") as stream:
            for line in iter(lambda: stream.readline(MAX_LINE), b""):
                text = line.decode(errors="backslashreplace").rstrip("\r\n")
                if text.encode() == self._mark:
                    return
                if text.strip():
                    entry = message_entry(EventKind.NOTICE, escape_invisible(text), utc_now())
                    self.write(entry_line(entry))


current: JsonStderr | None = None
"""The standard error of this command; None if it is text."""


def run_with_json(command: Callable[[], int]) -> int:
    """Run a command with standard error as JSON, whatever it raises, and return its exit code."""
    global current
    if current is not None:
        return command()
    with terminable():
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until an interrupt ends in a summary
        try:
            current = stderr = JsonStderr()
        except (OSError, UsageError):  # no descriptors or threads are left
            return _unblocked(command)
        print_errors_with(stderr.error)
        try:
            stderr.finish(_exit_code(partial(_unblocked, command), stderr))
        except (KeyboardInterrupt, SystemExit) as interrupt:
            stderr.finish_at_once(_code_of(interrupt))
    for number in SIGNALS:  # the exit code is in the summary
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(stderr.code))
    return stderr.code


def _unblocked(command: Callable[[], int]) -> int:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return command()


def _exit_code(command: Callable[[], int], stderr: JsonStderr) -> int:
    try:
        return int(command())
    except (KeyboardInterrupt, SystemExit) as interrupt:
        return _code_of(interrupt)
    except UsageError as error:
        stderr.error(str(error))
        return ExitCode.USAGE
    except OutputError as error:
        stderr.error(str(error))
        return ExitCode.OUTPUT
    except Exception as error:  # noqa: BLE001 - a bug: a traceback is not JSON
        stderr.error(f"internal error: {error!r}", traceback.format_exc())
        return ExitCode.FAILED


def _code_of(interrupt: KeyboardInterrupt | SystemExit) -> int:
    if isinstance(interrupt, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return interrupt.code if isinstance(interrupt.code, int) else int(interrupt.code is not None)
