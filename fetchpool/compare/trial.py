"""Runs the list once in a new process, and measures its time, CPU time and memory.

In: the arguments of the run. Out: a `Trial`: wall time, CPU time and memory of all its processes, and the
run's summary. A trial that is interrupted is killed with all its processes.

The kernel adds the CPU time of an ended process to that of its parent when the parent waits for it. However,
the server that forks the worker processes ends after the run, which does not wait for it. So this process
adopts the server (Linux: `PR_SET_CHILD_SUBREAPER`) and waits for the entire process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import msgspec
from msgspec import Struct

import fetchpool
from fetchpool.compare.plan import Combination
from fetchpool.config.option import PREFIX
from fetchpool.runtime import threads

START = """import sys
sys.path.insert(0, sys.argv.pop(1))
import fetchpool.__main__ as start
del sys.path[0]
sys.exit(start.main())"""
"""Code that runs the command of this package, even if another version is installed or in the working
directory."""
SAMPLES = 20.0
"""Memory samples per second."""
PR_SET_CHILD_SUBREAPER = 36
"""prctl(2), Linux only."""
PROCESS_EXECUTOR = "process"
PREFIX_OF_DIRECTORY = "fetchpool-compare-"
MAX_PATH = 72
"""Maximum length of a temporary directory's path in bytes: the path of a socket in it must not exceed 108
(unix(7))."""
MAX_ERROR_LINES = 5
"""Maximum number of lines shown of a failed trial's standard error."""


class Times(Struct, frozen=True):
    p50: float
    p95: float


class Summary(Struct, frozen=True):
    """The fields of `--summary json` that a comparison uses."""

    urls: int
    failed: int
    times: Times
    exit_code: int
    retries: int = 0


class Trial(Struct, frozen=True):
    """The measurements of one run. Times are seconds, sizes bytes."""

    combination: Combination
    round: int
    wall: float
    """From the start of the process to its end."""
    cpu: float | None
    """User and system time of all its processes; None if the system does not report it."""
    memory: int | None
    """The peak in bytes."""
    summary: Summary | None
    """None if the run failed."""
    failure: str = ""
    """The reason why it failed."""


class Usage(Struct):
    """Resources that ended processes have used."""

    code: int
    """The exit code of the run's first process."""
    ended: float
    """When the first process ended."""
    cpu: float = 0.0
    largest: int = 0
    """The peak of the largest process. It includes that of this process if the run was started by `vfork`."""


def temporary_directory() -> Path:
    """Create the directory for all temporary files of the trials, since a killed trial does not remove its
    own."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX_OF_DIRECTORY))
    if len(os.fsencode(path)) > MAX_PATH:
        path.rmdir()
        path = Path(tempfile.mkdtemp(prefix=PREFIX_OF_DIRECTORY, dir="/tmp"))
    return path


def adopt_orphans() -> bool:
    """Become the parent of descendants whose parent ends. Return False if the system doesn't support that."""
    if sys.platform != "linux":
        return False
    import ctypes

    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


def run_trial(
    combination: Combination,
    round: int,
    arguments: Sequence[str],
    directory: Path,
    *,
    adopts: bool,
    variables: Mapping[str, str],
) -> Trial:
    """Run the list once. `arguments`: all but the executor and the transport. `directory`: for the trial's
    temporary files and messages. `adopts`: whether this process adopts orphans. `variables`: environment
    variables with options; those of this process are not used."""
    package = str(Path(fetchpool.__path__[0]).parent)
    command = [sys.executable, "-P", "-c", START, package, "run", "--no-progress", "--summary", "json"]
    command += ["--executor", combination.executor, "--transport", combination.transport, *arguments]
    messages = directory / "messages"
    with messages.open("wb") as stderr:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**_environment(), **variables, "TMPDIR": str(directory)},
            process_group=0,  # Ctrl-C reaches this process only
        )
    several = combination.executor == PROCESS_EXECUTOR
    try:
        with measured_memory(process.pid, several=several) as memory:
            usage = _wait(process)
    except BaseException:  # Ctrl-C, SIGTERM, no thread
        with uninterrupted():
            _kill(process)
        raise
    knows_cpu = adopts or not several
    text = messages.read_text(errors="replace")
    found = _summary(text)
    last_lines = [each for each in text.splitlines() if not each.startswith("{")][-MAX_ERROR_LINES:]
    is_fine = found is not None and found.exit_code == usage.code and usage.code not in (2, 3)
    return Trial(
        combination,
        round,
        usage.ended - began,
        usage.cpu if knows_cpu else None,
        memory.peak or (None if several else usage.largest),
        found if is_fine else None,
        "" if is_fine else " ".join(last_lines) or f"it ended with exit code {usage.code}",
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _wait(process: subprocess.Popen[bytes]) -> Usage:
    """Wait for the process and the rest of its process group."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    usage = Usage(process.returncode, time.monotonic(), used.ru_utime + used.ru_stime)
    usage.largest = used.ru_maxrss * unit
    usage.cpu += _wait_for_group(process.pid)
    return usage


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and its process group."""
    with suppress(ProcessLookupError, PermissionError):  # there are none left
        os.killpg(process.pid, signal.SIGKILL)
    _wait_for_group(process.pid)
    process.returncode = -signal.SIGKILL


def _wait_for_group(group: int) -> float:
    """Wait for all child processes of a process group. Return their CPU time."""
    cpu = 0.0
    with suppress(ChildProcessError):  # there is none left
        while True:
            _, _, used = os.wait4(-group, 0)
            cpu += used.ru_utime + used.ru_stime
    return cpu


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C during the cleanup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _summary(messages: str) -> Summary | None:
    for line in reversed(messages.splitlines()):
        if line.startswith("{"):
            with suppress(msgspec.ValidationError, msgspec.DecodeError):
                return msgspec.json.decode(line, type=Summary)
    return None


# Memory


class Memory:
    """The peak memory of a process, or of a process and its descendants."""

    def __init__(self, pid: int, *, several: bool) -> None:
        self._pid = pid
        self._several = several
        self._stopped = Event()
        self.peak = 0
        """Bytes; 0 if unknown."""

    def watch(self) -> None:
        """Take samples until `stop()`."""
        while not self._stopped.wait(1 / SAMPLES):
            self._sample()

    def stop(self) -> None:
        self._stopped.set()

    def _sample(self) -> None:
        if self._several:
            # Pss: shared memory is divided among the processes that share it, so that it counts once.
            now = sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in _tree(self._pid))
        else:
            now = _kilobytes(self._pid, "status", "VmHWM:")  # the kernel's own peak
        self.peak = max(self.peak, now * 1024)


@contextmanager
def measured_memory(pid: int, *, several: bool) -> Iterator[Memory]:
    """Measure the memory of a process during the `with` block. Without /proc the result is unknown."""
    memory = Memory(pid, several=several)
    watcher = threads.start(memory.watch, "fetchpool-memory")
    try:
        yield memory
    finally:
        memory.stop()
        watcher.join()


def _tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))


def _kilobytes(pid: int, file: str, name: str) -> int:
    with suppress(OSError):  # it has ended
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
