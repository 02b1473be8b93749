"""Formats the lines of the live display that explain the keys. In: a snapshot, the view, and a width. Out:
`Line`s. Pure.
"""

from __future__ import annotations

from fetchpool.engine.events import Snapshot
from fetchpool.model.steering import State
from fetchpool.progress.format import Line, Span, Style, line
from fetchpool.progress.view import View

GAP = "  "
KEY = 10
"""Width of the keys in cells."""
RANKS = ("? keys", "p pause", "p resume", "s stop", "s resume", "+/- workers")
"""The hints that are kept longest in a narrow terminal, the most important first."""


def hints(snapshot: Snapshot, view: View, width: int) -> Line:
    """Return the keys in one line, as many as fit."""
    shown = [
        "p resume" if snapshot.state in (State.PAUSING, State.PAUSED) else "p pause",
        "+/- workers",
        "s resume" if view.is_stopped and snapshot.state is State.STOPPING else "s stop",
        "d less" if view.details else "d details",
        "f no failures" if view.failures else "f failures",
        "? keys",
    ]
    if snapshot.state is State.STOPPING:
        del shown[:2]
    while len(GAP.join(shown)) > width and len(shown) > 1:
        shown.remove(max(shown, key=lambda hint: RANKS.index(hint) if hint in RANKS else len(RANKS)))
    return line(Span(GAP.join(shown)[:width], Style.QUIET))


def explained(width: int, *, has_page: bool = False) -> list[Line]:
    """Return a line for each key. `has_page`: there is a web page."""
    keys = (
        ("p, space", "pause, resume"),
        ("+ -", "increase or reduce the workers by a quarter"),
        ("s", "stop after the requests in flight; again: resume"),
        ("d", "show details: rates, times, failures, hosts"),
        ("f", "show failures above the display"),
        *(
            (("w, W", "show a new link to the web page; W: one that can't steer the run"),)
            if has_page
            else ()
        ),
        ("?", "hide this list"),
        ("Ctrl-C", "stop; again: cancel the requests in flight"),
    )
    return [
        line(Span(key.ljust(KEY)[:width], Style.STRONG), Span(text[: max(width - KEY, 0)], Style.QUIET))
        for key, text in keys
    ]
