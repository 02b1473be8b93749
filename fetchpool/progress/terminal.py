"""The adapter for Rich: consoles, and `Line`s in colour.

In: a stream, `Line`s. Out: characters on a terminal. Text from URLs and servers is never interpreted as
markup or escape sequences, since everything is printed as Rich's `Text`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fetchpool.progress.background_writer import unbuffered
from fetchpool.progress.color import is_colored
from fetchpool.progress.format import Line, Style

STYLES = {
    Style.PLAIN: "",
    Style.QUIET: "dim",
    Style.STRONG: "bold",
    Style.GOOD: "green",
    Style.BAD: "red",
    Style.HINT: "cyan",
}
"""Styles in the sixteen standard colours, which are readable on the background of every terminal."""


def console(stream: TextIO) -> Console:
    """Return a console on the stream's file descriptor, without a lock that a blocked thread could hold. It
    respects TERM, and `--color` or the environment's choice."""
    return Console(
        file=unbuffered(stream), markup=False, highlight=False, emoji=False, no_color=not is_colored(stream)
    )


def text(line: Line, on: Console) -> Text:
    """Return a line with its styles, if the console has colours."""
    if on.no_color:
        return Text(str(line), end="")
    return Text.assemble(*((span.text, STYLES[span.style]) for span in line.spans), end="")


def show(on: Console, lines: Iterable[Line]) -> None:
    """Print the lines at once. The terminal wraps long ones, so that a URL can be copied completely."""
    shown = Text("\n").join(text(line, on) for line in lines)
    if shown:
        on.print(shown, soft_wrap=True)


def cut(text: str, width: int, mark: str = "…") -> str:
    """Return at most `width` cells of a URL: its middle is cut out, its host and end remain."""
    if cell_len(text) <= width:
        return text
    left = width - cell_len(mark)
    if left <= 0:
        return mark[: max(width, 0)]
    tail = _head(text[::-1], left * 2 // 5)[::-1]
    return _head(text, left - cell_len(tail)) + mark + tail


def _head(text: str, width: int) -> str:
    """Return the characters that fit into `width` cells; a wide character that fits only by half is left
    out."""
    used = 0
    for position, character in enumerate(text):
        used += cell_len(character)
        if used > width:
            return text[:position]
    return text
