"""Text in the cells of a CSV output: no spreadsheet runs it, and what was meant can be told.

In: a row's text, or a cell of an output of ours. Out: the cell, or the text. Pure.
"""

from __future__ import annotations

from fetchpool.model.text import escape_invisible

FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def cell(text: str) -> str:
    """A text cell, on one line, that no spreadsheet runs."""
    return escape_invisible(f"'{text}" if text and _is_formula(text) else text)


def meant(cell: str) -> str:
    """The text of a cell that `cell()` made."""
    return cell[1:] if cell[:1] == "'" and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    return text[0] in FORMULA_STARTS or (text[0] == "'" and text.lstrip("'")[:1] in FORMULA_STARTS)
