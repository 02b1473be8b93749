"""Exceptions name keyword arguments, not options of the command line."""

from __future__ import annotations

from typing import Any

import pytest

import fetchpool
from fetchpool.api.keywords import rewritten


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"workers": 0}, "workers=0 is not an integer from 1 to 10000"),
        ({"workers": "ten"}, "workers='ten' is neither an integer from 1 to 10000 nor auto"),
        ({"max_workers": 5}, "max_workers=5 is less than workers=, which is 10"),
        ({"processes": 2}, "processes= only applies to executor='process'"),
        ({"save_as": "{host}"}, "save_as= needs save=DIR, the directory of the files"),
        (
            {"public_only": True, "allow_private": True},
            "public_only= and allow_private= are mutually exclusive",
        ),
        ({"parse": "nosuch"}, "parse: no parser 'nosuch'; expected title, meta, links, text, or "),
    ],
)
def test_an_exception_names_the_keyword_argument(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(fetchpool.UsageError) as refused:
        list(fetchpool.fetch([], **settings))
    assert str(refused.value).startswith(words)


def test_a_flag_without_a_keyword_and_other_words_stay() -> None:
    message = "a-b --nosuch: x -o FILE; host--workers"
    assert rewritten(message) == message
