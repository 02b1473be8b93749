"""Decides whether text is coloured, as ripgrep and uv do, and writes `Line`s with ANSI escape sequences.

In: the choice of `--color`, the stream, and the environment. Out: a decision, and text. Independent of
terminals: the live display needs one, coloured lines in a log do not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from fetchpool.progress.format import Line, Style

RESET = "\x1b[0m"
CODES = {
    Style.QUIET: "\x1b[2m",
    Style.STRONG: "\x1b[1m",
    Style.GOOD: "\x1b[32m",
    Style.BAD: "\x1b[31m",
    Style.HINT: "\x1b[36m",
}


class _Choice:
    """The choice for everything that this process prints."""

    value = "auto"


def choose(value: str) -> None:
    """Set the choice: `auto`, `always` or `never`."""
    _Choice.value = value


def is_colored(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether text on the stream is coloured. In order of precedence, this depends on `--color`, on NO_COLOR,
    on FORCE_COLOR and CLICOLOR_FORCE, and on whether the stream is a terminal."""
    if _Choice.value != "auto":
        return _Choice.value == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return stream.isatty() and environ.get("TERM") not in ("dumb", "unknown")


def ansi(line: Line) -> str:
    """Return a line in which styles are escape sequences."""
    return "".join(
        f"{CODES[span.style]}{span.text}{RESET}" if span.style in CODES else span.text for span in line.spans
    )
