"""Reads single keys from the terminal during a run, without Enter and without echo. In: the controlling
terminal, `/dev/tty`; never standard input, which may be the list. Out: a function call for each key, from a
separate thread. Ctrl-C, Ctrl-Z and Ctrl-S keep their meaning.

The terminal's settings are changed only while this process is in the foreground. They are restored when the
process is suspended and whenever it ends. In the background it neither reads keys nor changes the settings,
as the kernel would stop it with a signal.
"""

from __future__ import annotations

import os
import select
import signal
import termios
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from fetchpool.model.errors import NoThreadError
from fetchpool.progress.key_decoder import KeyDecoder
from fetchpool.progress.view import View
from fetchpool.runtime import threads

CHECK_INTERVAL = 0.5
"""Seconds between two checks whether the process is in the foreground, since a shell does not always send a
signal when it brings a process to the foreground."""
LOCAL, CONTROL = 3, 6
"""Indexes in the list of `termios.tcgetattr()`."""
READ_SIZE = 4096
STDERR = 2


def is_foreground(descriptor: int = STDERR) -> bool:
    """Whether the descriptor is this process's controlling terminal, and the process is in its foreground."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:  # not a terminal, or not the controlling one
        return False


class KeyMode:
    """Switches the terminal to single keys, and restores its settings. All methods may be called in any
    thread and in signal handlers: they take no lock, and never wait for the terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        """The settings to restore."""
        self._is_set = False
        self._is_allowed = True

    def enter(self) -> bool:
        """Change the settings if the process is in the foreground; return whether they are changed."""
        if self._is_set or not self._is_allowed or not is_foreground(self._descriptor):
            return self._is_set
        try:
            found = termios.tcgetattr(self._descriptor)
            if found[LOCAL] & termios.ICANON:
                self._before = found
            elif self._before is None:
                return False  # another program is reading keys
            self._is_set = True
            self._set(_for_keys(found))
            if not self._is_allowed or not is_foreground(self._descriptor):  # it was suspended meanwhile
                self._is_set = False
                self._set(self._before)
        except termios.error:  # the terminal is gone
            self._is_set = False
        return self._is_set

    def leave(self) -> None:
        """Restore the settings, unless another process has the terminal now. `enter()` then changes nothing
        until `allow()`. Idempotent."""
        self._is_allowed = False
        if self._is_set:
            self._is_set = False
            if self._before is not None and is_foreground(self._descriptor):
                with suppress(termios.error):
                    self._set(self._before)

    def allow(self) -> None:
        """Let `enter()` change the settings again: a shell may have changed them."""
        self._is_set = False
        self._is_allowed = True

    def _set(self, settings: list[Any]) -> None:
        # TCSANOW, as the other modes wait for pending output, which Ctrl-S may hold back.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _for_keys(settings: list[Any]) -> list[Any]:
    """Return the settings for single keys (cbreak): signals and flow control stay."""
    changed = list(settings)
    changed[LOCAL] &= ~(termios.ICANON | termios.ECHO)
    changed[CONTROL] = list(settings[CONTROL])
    changed[CONTROL][termios.VMIN] = 1
    changed[CONTROL][termios.VTIME] = 0
    return changed


class Keyboard:
    """Calls `pressed` with each key, in its own thread. A context manager, which restores the terminal's
    settings."""

    def __init__(self, descriptor: int, pressed: Callable[[str], None], view: View) -> None:
        """`descriptor`: of `/dev/tty`, non-blocking; it is closed at the end. `view.has_keys` is set to
        whether keys are read."""
        self._descriptor = descriptor
        self._pressed = pressed
        self._view = view
        self._mode = KeyMode(descriptor)
        self._decoder = KeyDecoder()
        self._closing = False
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._thread: Any = None

    def __enter__(self) -> Keyboard:
        self._mode.enter()
        with suppress(NoThreadError):  # the run continues without keys
            self._thread = threads.start(self._run, "fetchpool-keys")
        if self._thread is None:
            self._mode.leave()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self.restore()
        if self._thread is not None:
            os.write(self._wake, b".")
            self._thread.join()
        self.restore()  # the thread may have been in the middle of `enter()`
        for descriptor in (self._descriptor, self._woken, self._wake):
            os.close(descriptor)

    def restore(self) -> None:
        """Restore the terminal's settings before the process stops or exits."""
        self._mode.leave()

    def resume(self) -> None:
        """Change the settings again after the process was continued, as soon as it is in the foreground."""
        if not self._closing:
            self._mode.allow()
            self._mode.enter()

    def _run(self) -> None:
        # With SIGTTIN blocked, a read in the background fails instead of stopping the process.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
        while not self._closing:
            watched = [self._woken]
            self._view.has_keys = self._mode.enter() and is_foreground(self._descriptor)
            if self._view.has_keys:
                watched.append(self._descriptor)
            ready, _, _ = select.select(watched, [], [], CHECK_INTERVAL)
            if self._descriptor in ready and not self._read():
                return

    def _read(self) -> bool:
        """Read the pending keys; return whether the terminal still exists."""
        if not is_foreground(self._descriptor):
            return True
        try:
            octets = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:  # now in the background, or the terminal is gone
            return is_foreground(self._descriptor) or _is_terminal(self._descriptor)
        for key in self._decoder.feed(octets, monotonic()):
            if not self._closing:
                self._pressed(key)
        return bool(octets)


def _is_terminal(descriptor: int) -> bool:
    try:
        termios.tcgetattr(descriptor)
    except termios.error:
        return False
    return True


def open_terminal() -> int | None:
    """Return a descriptor of the controlling terminal for `Keyboard`; None if standard error is not on it, or
    if this is a background job of a script, whose foreground is not the user's choice."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return None
    try:
        os.tcgetpgrp(STDERR)
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
