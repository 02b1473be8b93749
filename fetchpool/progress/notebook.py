"""The observer for a Jupyter notebook: a few lines below the cell, replaced in place.

In: snapshots. Out: the same `frame`s as on a terminal, as one output of the cell.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fetchpool.engine.events import Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.progress.frame import frame

WIDTH = 100
"""Columns of the output: a notebook's width isn't known."""


class NotebookProgress(Observer):
    """Shows the progress of a run in a notebook. The last state stays."""

    def __init__(self) -> None:
        self._display = import_module("IPython.display").display
        self._output: Any = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        content = {"text/plain": "\n".join(str(line).rstrip() for line in frame(snapshot, WIDTH))}
        if self._output is None:
            self._output = self._display(content, raw=True, display_id=True)
        else:
            self._output.update(content, raw=True)

    def on_finish(self, snapshot: Snapshot) -> None:
        self.on_snapshot(snapshot)
