"""The observers of `progress=`: a display in the terminal or the notebook, or a program's function.

In: the value of the argument, and the standard streams. Out: observers. Rich is imported only for a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from fetchpool.engine.events import Snapshot
from fetchpool.engine.observers import Observer


class Callback(Observer):
    """Calls a program's function with each snapshot, including the last one, which has the totals."""

    def __init__(self, function: Callable[[Snapshot], object]) -> None:
        self._function = function

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self._function(snapshot)

    def on_finish(self, snapshot: Snapshot) -> None:
        self._function(snapshot)


def open_progress(progress: bool | Callable[[Any], object], stack: ExitStack) -> list[Observer]:
    """Return the observers of a run. Leaving `stack` closes them."""
    if callable(progress):
        return [Callback(progress)]
    if not progress:
        return []
    if is_notebook():
        from fetchpool.progress.notebook import NotebookProgress

        return [NotebookProgress()]
    if sys.stderr is None:  # a program without a console on Windows
        return []
    if sys.stderr.isatty():
        from fetchpool.progress.display import Progress
        from fetchpool.progress.terminal import console

        # Text that the program prints on the same terminal appears above the display.
        prints = sys.stdout is not None and sys.stdout.isatty()
        return [stack.enter_context(Progress(console(sys.stderr), redirects_stdout=prints))]
    from fetchpool.progress.log import Log

    return [stack.enter_context(Log(sys.stderr))]


def is_notebook() -> bool:
    """Whether the program is a Jupyter notebook, whose shell has a kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
