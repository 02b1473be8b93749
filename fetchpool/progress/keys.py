"""Acts on the keys of the live display. In: keys, from the keyboard's thread. Out: commands for the engine,
and changes of the view. The display shows the effect of a command only after the engine has carried it out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fetchpool.engine.events import Snapshot
from fetchpool.model.steering import Command, Pause, Resize, Resume, State, Stop
from fetchpool.progress.view import View

BY = "by a key"
STEP = 1.25
"""Factor by which a key changes the number of workers."""
UNSEEN = 2
"""Number of snapshots after a command until one certainly shows its effect."""


class Steerable(Protocol):
    """The part of the engine that keys steer."""

    def steer(self, command: Command, by: str) -> None: ...


class Keys:
    """Acts on keys. Only the keyboard's thread calls it."""

    def __init__(
        self,
        run: Steerable,
        view: View,
        latest: Callable[[], Snapshot | None],
        redraw: Callable[[], None],
        show_link: Callable[..., None] | None = None,
    ) -> None:
        """`latest` returns the latest snapshot; `redraw` makes the display draw soon. `show_link` shows a new
        link to the web page, or with `read_only` a link for others; None without a page."""
        view.has_page = show_link is not None
        self._run = run
        self._view = view
        self._latest = latest
        self._redraw = redraw
        self._asked: dict[str, tuple[int, int]] = {}
        """The value requested with each key, and the number of the snapshot from which it is shown, so that a
        second press need not wait for it."""
        self._actions: dict[str, Callable[[Snapshot], None]] = {
            "p": self._pause,
            " ": self._pause,
            "s": self._stop,
            "+": lambda snapshot: self._resize(snapshot, more=True),
            "=": lambda snapshot: self._resize(snapshot, more=True),  # the same key without Shift
            "-": lambda snapshot: self._resize(snapshot, more=False),
            "d": lambda _: self._toggle("details"),
            "f": lambda _: self._toggle("failures"),
            "?": lambda _: self._toggle("help"),
        }
        if show_link is not None:
            self._actions["w"] = lambda _: show_link()
            self._actions["W"] = lambda _: show_link(read_only=True)

    def press(self, key: str) -> None:
        """Carry out the action of a key, if it has one."""
        action, snapshot = self._actions.get(key), self._latest()
        if action is not None and snapshot is not None:
            action(snapshot)

    def _toggle(self, name: str) -> None:
        setattr(self._view, name, not getattr(self._view, name))
        self._redraw()

    def _pause(self, snapshot: Snapshot) -> None:
        is_paused = snapshot.state in (State.PAUSING, State.PAUSED)
        if self._value("pause", snapshot, int(is_paused)):
            self._steer("pause", 0, Resume(), snapshot)
        elif snapshot.state is not State.STOPPING:
            self._steer("pause", 1, Pause(), snapshot)

    def _stop(self, snapshot: Snapshot) -> None:
        view = self._view
        is_stopping = view.is_stopped and snapshot.state is State.STOPPING
        view.is_stopped = not self._value("stop", snapshot, int(is_stopping))
        command = Stop() if view.is_stopped else Resume()
        self._steer("stop", int(view.is_stopped), command, snapshot)

    def _resize(self, snapshot: Snapshot, *, more: bool) -> None:
        workers = self._value("workers", snapshot, snapshot.workers)
        if more:
            wanted = max(workers + 1, round(workers * STEP))
        else:
            wanted = max(min(workers - 1, round(workers / STEP)), 1)
        # One more than allowed: the notice then names the option that allows more.
        ceiling = snapshot.settings.ceiling if snapshot.settings is not None else wanted
        self._steer("workers", min(wanted, ceiling), Resize(min(wanted, ceiling + 1)), snapshot)

    def _value(self, name: str, snapshot: Snapshot, shown: int) -> int:
        """Return the requested value if the snapshot can't show it yet, else the value in the snapshot."""
        value, shown_from = self._asked.get(name, (shown, 0))
        return value if snapshot.seq < shown_from else shown

    def _steer(self, name: str, value: int, command: Command, snapshot: Snapshot) -> None:
        self._asked[name] = (value, snapshot.seq + UNSEEN)
        self._run.steer(command, BY)
