"""Escapes text in the cells of a CSV output, so that no spreadsheet runs it as a formula; and the delimiters
of cells.

In: a row's text, or a cell of an output. Out: the cell, or the text. Pure.
"""

from __future__ import annotations

from fetchpool.model.text import escape_invisible

DELIMITERS = {"csv": ",", "tsv": "\t"}
"""The delimiter of each format."""
FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def escape_cell(text: str) -> str:
    """Return the cell for a text: one line, which no spreadsheet runs as a formula."""
    return escape_invisible(f"'{text}" if text and _is_formula(text) else text)


def unescape_cell(cell: str) -> str:
    """Return the text of a cell that `escape_cell()` made."""
    return cell[1:] if cell[:1] == "'" and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    return text[0] in FORMULA_STARTS or (text[0] == "'" and text.lstrip("'")[:1] in FORMULA_STARTS)
