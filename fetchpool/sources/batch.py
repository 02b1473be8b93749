"""The types that all readers of inputs share: `UrlBatch`, some URLs of an input, and `Input`, which yields
them. Also the column with the position of a URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from msgspec import Struct

Columns = dict[str, Any]

LINE = "line"
"""The column for the name of the input and the number of the line: `urls.txt:17`."""
LINE_WEIGHT = 100
"""Approximate number of bytes that the column takes in addition to its text."""


class UrlBatch(Struct, frozen=True):
    """The URLs of one chunk, and the offset of its end in the input, or in all inputs together."""

    lines: list[str]
    offset: int
    weight: int = 0
    """The approximate size of the batch in memory, in bytes."""
    columns: list[Columns] | None = None
    """The other columns of each URL, if they are copied to the rows."""
    weights: list[int] = []
    """The size of each URL's columns."""
    problems: dict[int, str] = {}
    """By index in `lines`, why the line is not a URL."""
    notice: str = ""
    """A notice for the user, or empty."""
    listed_by: tuple[str, bool] | None = None
    """The origin of the sitemap that lists the URLs, and whether its server has a public address; None for
    URLs that the user has listed."""


class Input(Protocol):
    """An opened input."""

    columns: list[str]
    """The names of the additional columns of the rows, as far as they are known now."""
    size: int | None
    """Bytes to read; None for a pipe."""
    notice: str
    """A notice for the user, or empty."""

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs, with offsets in this input. Called once. Raises `InputReadError`."""

    def abort(self) -> None:
        """End the reader's wait, as far as that is possible. Any thread may call this."""

    def close(self) -> None:
        """Close the input. Idempotent."""


def with_lines(batch: UrlBatch, name: str, numbers: list[int]) -> UrlBatch:
    """Return a batch with the line of each URL in its columns. `name`: the name of the input."""
    texts = [f"{name}:{number}" for number in numbers]
    before = batch.columns or [{} for _ in texts]
    columns = [{**columns, LINE: text} for columns, text in zip(before, texts, strict=True)]
    weights = batch.weights or [0] * len(texts)
    added = [LINE_WEIGHT + len(text) for text in texts]
    return UrlBatch(
        batch.lines,
        batch.offset,
        batch.weight + sum(added),
        columns,
        [weight + more for weight, more in zip(weights, added, strict=True)],
        batch.problems,
        batch.notice,
        batch.listed_by,
    )
