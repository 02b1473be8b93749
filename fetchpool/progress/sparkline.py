"""Sparklines: a row of numbers as bars, one character each.

In: numbers. Out: text. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-:=+*#"


def sparkline(numbers: Sequence[float], *, ascii_only: bool = False) -> str:
    """Return a bar for each number, the highest for the largest number. Only zero has no bar."""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    most = max(numbers, default=0.0)
    if most <= 0:
        return " " * len(numbers)
    steps = len(blocks) - 1
    return "".join(blocks[round(number / most * steps)] if number > 0 else " " for number in numbers)


def merged(numbers: Sequence[int], most: int) -> list[int]:
    """Return at most `most` sums, each of the same number of neighbours."""
    size = -(-len(numbers) // max(most, 1)) or 1
    return [sum(numbers[place : place + size]) for place in range(0, len(numbers), size)]
