"""The real command, as a shell or a terminal would start it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyte

from tests.cli.environment import environment, needs_a_start
from tests.cli.prefork import LARGE, PRELOADED, ForkedProcess

FETCHPOOL = (sys.executable, "-m", "fetchpool")
PATIENCE = 30.0
"""Seconds that anything here may take on a busy machine; none of it should take three."""

_NEEDS_LARGE = re.compile("parquet|requests|warc")
"""In an argument, it loads what would be most of the CPU time of the command."""
_CONTROL_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")


def fetchpool(
    *arguments: str,
    stdin: str | bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs to the end, with a pipe on every stream."""
    text = stdin.encode() if isinstance(stdin, str) else stdin
    done = run([*FETCHPOOL, *arguments], input=text, capture_output=True, cwd=cwd, env=environment(env))
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run(
    command: Sequence[str],
    *,
    input: str | bytes | None = None,
    capture_output: bool = False,
    timeout: float = PATIENCE,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run`, but what can be forked is (`popen`)."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options["stdout"] = options["stderr"] = subprocess.PIPE
    with popen(command, **options) as process:
        try:
            stdout, stderr = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, stdout, stderr)
    return done


def popen(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """`subprocess.Popen`, but what can be forked is (`prefork.py`): `FETCHPOOL` and `python -c SCRIPT`."""
    if env is None:
        env = environment()
    if not _can_be_forked(command, env, options):
        return subprocess.Popen(command, env=env, **options)
    preloaded = LARGE if any(map(_NEEDS_LARGE.search, command)) else PRELOADED
    return ForkedProcess(command, env=env, preloaded=preloaded, **options)


def _can_be_forked(command: Sequence[str], env: Mapping[str, str], options: Mapping[str, Any]) -> bool:
    is_python = command[0] == sys.executable and command[1] in ("-m", "-c")
    return is_python and not needs_a_start(env) and not options.keys() & {"preexec_fn", "pass_fds"}


PEAK = """
import sys
from pathlib import Path
from fetchpool.cli.main import main

assert main(sys.argv[2:]) == int(sys.argv[1])
status = Path("/proc/self/status").read_text()
print(*(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""


def peak_memory(*arguments: str, cwd: Path, code: int = 0) -> int:
    """Bytes that the command, with these arguments and this exit code, had resident at the most. Linux only.

    Not `ru_maxrss`: a process begins with that of its parent, and pytest may be large.
    """
    done = run([sys.executable, "-c", PEAK, str(code), *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


def start(
    *arguments: str,
    cwd: Path,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    start_new_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts it and returns at once."""
    return popen(
        [*FETCHPOOL, *arguments],
        cwd=cwd,
        env=environment(),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=start_new_session,
        bufsize=0,  # a line that is read leaves the next one to communicate()
    )


class Terminal:
    """The command on a terminal of 100 columns; another program with `command`.

    `screen` is all that was written, in order, control sequences and all; `words` without them; `shown` is
    what is on the terminal now.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        cwd: Path,
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        command: Sequence[str] = (),
        columns: int = 100,
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.settings_before = self.settings
        # Its controlling terminal, so that ^C reaches it the way it reaches an interactive program.
        control: dict[str, Any] = {"terminal": True}
        if command:
            control = {"preexec_fn": lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0)}
        self.process = popen(
            [*(command or FETCHPOOL), *arguments],
            cwd=cwd,
            env=environment(env),
            stdin=slave if stdin is None else stdin,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            start_new_session=True,
            **control,
        )
        os.close(slave)
        self._written = b""
        self._emulator = pyte.Screen(columns, 30)
        self._stream = pyte.ByteStream(self._emulator)
        self._emulated = 0

    @property
    def screen(self) -> str:
        return self._written.decode(errors="replace").replace("\r\n", "\n")

    @property
    def words(self) -> str:
        return _CONTROL_SEQUENCE.sub("", self.screen)

    def wait_for(self, text: str) -> None:
        """Reads until `text` was shown; fails with the screen when it never is."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.words:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} was not shown: {self.screen!r}")

    @property
    def shown(self) -> str:
        self._stream.feed(self._written[self._emulated :])
        self._emulated = len(self._written)
        return "\n".join(line.rstrip() for line in self._emulator.display).rstrip()

    @property
    def settings(self) -> list[Any]:
        """The terminal's settings, which a program may change."""
        return termios.tcgetattr(self._master)

    @property
    def reads_keys(self) -> bool:
        """Whether the terminal hands over single keys."""
        return not self.settings[3] & (termios.ICANON | termios.ECHO)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Reads until the condition holds, which is checked every few milliseconds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"this is still shown: {self.shown}")
            self.read_for(0.02)

    def read_for(self, seconds: float) -> None:
        """Reads what is written within this time."""
        if select.select([self._master], [], [], seconds)[0]:
            self._read(time.monotonic() + PATIENCE)

    def wait_to_show(self, *texts: str) -> None:
        """Reads until all of `texts` are on the terminal."""
        self.wait_until(lambda: all(text in self.shown for text in texts))

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def wait(self) -> int:
        """Reads to the end; returns the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing more is shown: {self.screen!r}")
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # EIO: the last of them has let go of the terminal
            return False
        self._written += chunk
        return bool(chunk)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
