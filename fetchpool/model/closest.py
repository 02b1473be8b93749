"""closest(): the "did you mean" of error messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from os.path import commonprefix

ALIASES = {
    "concurrency": "workers",
    "jobs": "workers",
    "parallel": "workers",
    "threads": "workers",
    "timeout": "max_time",
}
"""What other programs call a setting."""
ALIKE, VERY_ALIKE = 0.65, 0.75
"""How much of two words has to be the same: where they begin alike, as most slips leave them; elsewhere."""


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `word` is most likely a slip for: of the similar ones, that with the longest
    common beginning. None if none is similar, as no suggestion is better than a far-fetched one."""
    choices = list(choices)
    if ALIASES.get(word) in choices:
        return ALIASES[word]
    near = []
    for choice in choices:
        begins = len(commonprefix((word, choice)))  # noqa: RUF071 - letters, not a path
        alike = SequenceMatcher(None, word, choice).ratio()
        if alike >= (ALIKE if begins else VERY_ALIKE):
            near.append((begins, alike, choice))
    return max(near)[-1] if near else None
