"""closest(): the suggestions of error messages ("did you mean"). Pure."""

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
"""Names of settings in other programs."""
MIN_SIMILARITY, MIN_OTHERWISE = 0.65, 0.75
"""Minimum similarity of two words that begin with the same letter (most typing errors leave the first letter
intact), and of other words."""
PREFIX = 0.05
"""Bonus for each letter of a common prefix: `--retries` means `--retry`, not `--refresh`."""


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `word` is most probably a typing error of: the most similar one, where a common
    prefix counts in addition. None if none is similar."""
    choices = list(choices)
    if ALIASES.get(word) in choices:
        return ALIASES[word]
    near = []
    for choice in choices:
        begins = len(commonprefix((word, choice)))  # noqa: RUF071 - letters, not a path
        alike = SequenceMatcher(None, word, choice).ratio()
        if alike >= (MIN_SIMILARITY if begins else MIN_OTHERWISE):
            near.append((alike + begins * PREFIX, choice))
    return max(near)[-1] if near else None
