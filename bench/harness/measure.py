"""Run one program once, and measure its time, CPU time and memory.

In: a command. Out: `Usage`. The command and its child processes are a session; children that outlive the
command (a fork server, for example) are waited for, so that their CPU time is counted.

Memory is the peak resident size, summed over the processes, sampled ten times a second from the kernel's own
high-water marks. (`ru_maxrss` of `wait4` does not work: it starts at the parent's.)
"""

from __future__ import annotations

import ctypes
import os
import pty
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

SAMPLE_INTERVAL = 0.1
"""Seconds between samples; one takes some 50 µs per process."""
PR_SET_CHILD_SUBREAPER = 36


class Usage(NamedTuple):
    """The resources that a command used."""

    wall: float
    """Seconds from its start to its end."""
    cpu: float
    """Seconds, user and system, of all its processes."""
    resident: int
    """Peak resident bytes."""
    virtual: int
    """Peak bytes of address space."""
    code: int


class CommandFailedError(Exception):
    """A command failed; `str()` says why."""


def run(
    command: Sequence[str | Path],
    *,
    directory: Path,
    stdin: Path | None = None,
    stdout: Path | None = None,
    environment: Mapping[str, str] | None = None,
    terminal: bool = False,
) -> Usage:
    """Run `command` in `directory` to its end. With `terminal` its stderr is one, and a thread reads it;
    else it goes to the file `stderr` there."""
    _adopt_orphans()
    with ExitStack() as stack:
        errors = stack.enter_context((directory / "stderr").open("wb"))
        shown = stack.enter_context(_terminal()) if terminal else errors.fileno()
        source = stack.enter_context((stdin or Path(os.devnull)).open("rb"))
        target = stack.enter_context((stdout or Path(os.devnull)).open("wb"))
        begin = monotonic()
        child = subprocess.Popen(
            command,
            cwd=directory,
            stdin=source,
            stdout=target,
            stderr=shown,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
        )
        with _sampled(child.pid) as peak:
            _, status, used = os.wait4(child.pid, 0)
            wall = monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        cpu = used.ru_utime + used.ru_stime + _wait_for_orphans(child.pid)
    return Usage(wall, cpu, peak.resident, peak.virtual, child.returncode)


def _adopt_orphans() -> None:
    """Adopt descendants whose parent has ended."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _wait_for_orphans(group: int) -> float:
    """Wait for the command's remaining processes; return their CPU seconds."""
    cpu = 0.0
    with suppress(ChildProcessError):
        while True:
            _, _, used = os.wait4(-group, 0)
            cpu += used.ru_utime + used.ru_stime
    return cpu


class Peak:
    """Peaks, in bytes."""

    def __init__(self) -> None:
        self.resident = self.virtual = 0

    def look(self, root: int) -> None:
        """Update the peaks with the memory of `root` and its descendants."""
        resident = virtual = 0
        for process in descendants(root):
            with suppress(FileNotFoundError, ProcessLookupError):
                for line in Path(f"/proc/{process}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        resident += int(line.split()[1]) * 1024
                    elif line.startswith("VmPeak:"):
                        virtual += int(line.split()[1]) * 1024
        self.resident, self.virtual = max(self.resident, resident), max(self.virtual, virtual)


def descendants(root: int) -> Iterator[int]:
    """Return `root` and its descendants, as far as main threads started them."""
    yield root
    with suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{root}/task/{root}/children").read_text().split():
            yield from descendants(int(child))


@contextmanager
def _sampled(root: int) -> Iterator[Peak]:
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_INTERVAL):
            peak.look(root)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peak
    finally:
        ended.set()
        sampler.join()


@contextmanager
def _terminal() -> Iterator[int]:
    """Return one end of a terminal; a thread reads everything at the other."""
    screen, line = pty.openpty()

    def watch() -> None:
        with suppress(OSError):  # raised when the other end of a terminal has been closed
            while os.read(screen, 65_536):
                pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield line
    finally:
        os.close(line)
        watcher.join()
        os.close(screen)
