"""The adapter for Rich: consoles, and `Line`s in colour.

In: a stream, `Line`s. Out: characters on a terminal. No text of a URL or a server is ever taken for
markup or an escape here: everything goes through `Text`, which has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fetchpool.progress.background_writer import unbuffered
from fetchpool.progress.format import Line, Style

STYLES = {
    Style.PLAIN: "",
    Style.QUIET: "dim",
    Style.STRONG: "bold",
    Style.GOOD: "green",
    Style.BAD: "red",
    Style.HINT: "cyan",
}
"""The terminal's own sixteen colours: they are readable on whatever background its owner chose."""


def console(stream: TextIO) -> Console:
    """A console on the stream's descriptor. Honours NO_COLOR and TERM; a thread that is stuck in it
    keeps nobody else from writing."""
    return Console(file=unbuffered(stream), markup=False, highlight=False, emoji=False)


def text(line: Line) -> Text:
    """A line with its tones as colours."""
    return Text.assemble(*((span.text, STYLES[span.style]) for span in line.spans), end="")


def show(on: Console, lines: Iterable[Line]) -> None:
    """Writes the lines in one go. Long ones are left to the terminal, so that a URL is copied whole."""
    shown = Text("\n").join(text(line) for line in lines)
    if shown:
        on.print(shown, soft_wrap=True)


def cut(words: str, width: int, mark: str = "…") -> str:
    """`words` in at most `width` cells: the middle of a long URL goes, its host and its end stay."""
    if cell_len(words) <= width:
        return words
    room = width - cell_len(mark)
    if room <= 0:
        return mark[: max(width, 0)]
    tail = _head(words[::-1], room * 2 // 5)[::-1]
    return _head(words, room - cell_len(tail)) + mark + tail


def _head(words: str, width: int) -> str:
    """As many characters as fit into `width` cells; a wide one that half fits stays out."""
    used = 0
    for position, character in enumerate(words):
        used += cell_len(character)
        if used > width:
            return words[:position]
    return words
