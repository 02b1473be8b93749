"""Builds a report: from outputs to the content of a page, of a text or of JSON.

In: outputs. Out: `Numbers`, and bytes in one of the forms. The modules of a form are imported only when it is
used.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.config.outputs import Output
from fetchpool.history.final_rows import FinalRows
from fetchpool.report.gather import Gatherer
from fetchpool.report.numbers import Numbers
from fetchpool.report.row import Row
from fetchpool.report.write import Form


class Gathered(Struct, frozen=True):
    """The numbers of outputs, and the numbers of rows left out."""

    numbers: Numbers
    superseded: int
    unreadable: int


def gather(outputs: Sequence[Output], *, memory: int = DEFAULT_MEMORY) -> Gathered:
    """Read outputs. Raises `UsageError` for a file that is not an output."""
    rows = FinalRows(outputs, Row, memory=memory)
    gatherer = Gatherer()
    for batch in rows.batches():
        gatherer.add(batch)
    return Gathered(gatherer.result(), rows.superseded, rows.unreadable)


def content(numbers: Numbers, form: Form) -> bytes:
    """Return a report in one of its forms."""
    if form is Form.JSON:
        return msgspec.json.encode(numbers) + b"\n"
    if form is Form.TEXT:
        from fetchpool.report.term import lines

        return "".join(f"{line}\n" for line in lines(numbers)).encode()
    from fetchpool.report.page import page

    return page(numbers).encode()
