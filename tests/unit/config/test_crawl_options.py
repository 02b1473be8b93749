"""The options of crawls: their defaults, and what they can't be combined with."""

from __future__ import annotations

from typing import Any

import pytest

from fetchpool.config.configure import configure
from fetchpool.config.option import Option
from fetchpool.config.options.crawl import OPTIONS, RECURSIVE
from fetchpool.model.crawl_rules import ScopeKind
from fetchpool.model.errors import UsageError

URL = "http://a.example/"


def test_a_crawl_is_polite_unless_the_user_says_otherwise() -> None:
    config = configure([URL], recursive=True)
    assert (config.robots, config.per_host, config.robots_sitemaps) == (True, 4, True)
    assert config.fetch.crawl is not None
    assert (config.fetch.crawl.scope, config.fetch.crawl.follow_nofollow) == (ScopeKind.HOST, False)
    config = configure([URL], recursive=True, no_robots=True, per_host=None, no_sitemap=True)
    assert (config.robots, config.per_host, config.robots_sitemaps) == (False, None, False)
    assert config.fetch.crawl is not None
    assert config.fetch.crawl.follow_nofollow
    assert configure([URL], recursive=True, per_host="9").per_host == 9


def test_a_list_is_no_crawl() -> None:
    config = configure([URL])
    assert (config.robots, config.per_host, config.fetch.crawl, config.fetch.no_follow) == (
        False,
        10,
        None,
        False,
    )


def test_rows_of_a_crawl_have_its_fields() -> None:
    fields = configure([URL], recursive=True).extra_fields
    assert fields[:5] == ("depth", "found_on", "num_links", "canonical", "redirect_url")
    configure([URL], recursive=True, fields=["url", "error", "depth"], outputs=["a.csv"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 5}, "--limit cannot be combined with --recursive: use --max-pages"),
        ({"refresh": __file__}, "--refresh cannot be combined with --recursive"),
        ({"dedupe": False}, "--no-dedupe cannot be combined with --recursive"),
        ({"method": "HEAD"}, "--method HEAD cannot be combined with --recursive"),
        ({"data": "x"}, "--data cannot be combined with --recursive"),
        ({"include": ["("]}, "--include: '(' is not a valid regular expression"),
        ({"scope": "galaxy"}, "--scope"),
        ({"depth": -1}, "--depth"),
        ({"follow_tags": "a,<b>"}, "--follow-tags: expected names of tags"),
        ({"frontier": "-"}, "--frontier: expected the name of a file"),
        (
            {"frontier": "rows.jsonl", "outputs": ["rows.jsonl"]},
            "--frontier: this file is also an output of rows",
        ),
    ],
)
def test_what_makes_no_sense_is_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        configure([URL], recursive=True, **options)
    assert str(refusal.value).startswith(message)


CRAWL_VALUES: dict[str, Any] = {
    "depth": 0,
    "max_pages": 1,
    "max_per_pattern": 1,
    "scope": "host",
    "include": ["x"],
    "exclude": ["x"],
    "follow_tags": "a",
    "ignore_param": ["x"],
    "links": "links.jsonl",
    "frontier": "frontier",
}


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.only_with == RECURSIVE])
def test_an_option_of_crawls_that_a_list_ignores_is_refused(option: Option) -> None:
    """Most have forgotten --recursive, and one row looks like a site of one page."""
    given = {option.name: CRAWL_VALUES.get(option.name, True)}
    if option.name == "no_robots":  # it overrides `robots` of a file
        configure([URL], **given)
        return
    with pytest.raises(UsageError, match=f"^{option.label} needs --recursive$"):
        configure([URL], **given)
