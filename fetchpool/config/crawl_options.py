"""Checks the options of a crawl. In: options as the user wrote them. Out: checked values and `CrawlRules`, or
a `UsageError` of one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fetchpool.config.choices import compression_of, format_of, without_compression
from fetchpool.config.option import Option
from fetchpool.model.crawl_rules import CrawlRules, ScopeKind
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible

SCOPES = tuple(str(kind) for kind in ScopeKind)
PER_HOST = 4
"""Concurrent fetches per host in a crawl without --per-host, since nothing is known about the site."""
FIELDS = ("depth", "found_on", "num_links", "canonical", "redirect_url")
"""The fields that a crawl adds to the rows."""
LINK_FORMATS = ("jsonl", "csv", "tsv", "sqlite", "parquet")
"""Formats of outputs of links."""
REFUSED = {
    "refresh": "a crawl has no earlier output to compare with",
    "keep_columns": "rows of links have no input columns",
    "limit": "use --max-pages",
    "shard": "links lead to other hosts",
    "data": "links are followed with GET",
    "json": "links are followed with GET",
}
"""Options that make no sense with --recursive, with the reasons."""


def patterns(option: str, given: str | Iterable[str]) -> tuple[str, ...]:
    """Return regular expressions that are valid."""
    listed = (given,) if isinstance(given, str) else tuple(given)
    for pattern in listed:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as failure:
            raise UsageError(
                f"{option}: {pattern!r} is not a valid regular expression: {failure}"
            ) from failure
    return listed


def tags(option: str, given: str | Iterable[str]) -> tuple[str, ...]:
    """Return names of tags in lower case, each once."""
    listed = [given] if isinstance(given, str) else list(given)
    names = [name.strip().lower() for each in listed for name in each.split(",")]
    if not all(name.isalnum() for name in names):
        raise UsageError(f"{option}: expected names of tags, such as a,area")
    return tuple(dict.fromkeys(names))


def frontier_file(option: str, path: str) -> str:
    """Return the path of the frontier."""
    if not path or path == "-":
        raise UsageError(f"{option}: expected the name of a file")
    return path


def links_file(option: str, path: str) -> str:
    """Return the path of an output of links, whose suffix is that of a format."""
    format = format_of(path)
    name = escape_invisible(path)
    if format not in LINK_FORMATS or path == "-":
        raise UsageError(f"{option}: {name}: name a .jsonl, .csv, .tsv, .sqlite or .parquet file")
    if compression_of(path) and format in ("sqlite", "parquet"):
        plain = escape_invisible(without_compression(path))
        raise UsageError(f"{option}: {name}: links in {format} can't be compressed; name {plain}")
    return path


def check_crawl(values: Mapping[str, Any], options: Mapping[str, Option]) -> None:
    """Raise `UsageError` for options that can't be combined with --recursive, or need it: without it they
    have no effect, and most users have forgotten it. `--no-robots` has one, if a file has `robots`."""
    if not values["recursive"]:
        for name, option in options.items():
            value = values[name]
            if (
                name != "no_robots"
                and _needs_recursive(option, options)
                and not (value is None or value is False or value in ("", ()))
            ):
                raise UsageError(f"{option.label} needs --recursive")
        return
    if values["check_fragments"] and not values["links"]:
        raise UsageError("--check-fragments needs --links PATH, where fetchpool broken finds the links")
    for name, why in REFUSED.items():
        if values.get(name) or (name == "limit" and values[name] is not None):
            raise UsageError(f"{options[name].label} cannot be combined with --recursive: {why}")
    if not values["dedupe"]:
        raise UsageError("--no-dedupe cannot be combined with --recursive: it would never end")
    if values["method"] not in (None, "GET"):
        raise UsageError(
            f"--method {values['method']} cannot be combined with --recursive: links are followed with GET"
        )


def _needs_recursive(option: Option, options: Mapping[str, Option]) -> bool:
    """Whether an option has no effect without --recursive, or without an option of which that is so."""
    if option.only_with is None:
        return False
    name, _ = option.only_with
    return name == "recursive" or _needs_recursive(options[name], options)


def crawl_rules(values: Mapping[str, Any]) -> CrawlRules | None:
    """Return the rules for links; None without --recursive. The start URLs are added when they are known."""
    if not values["recursive"]:
        return None
    return CrawlRules(
        scope=ScopeKind(values["scope"] or ScopeKind.HOST),
        include=values["include"] or (),
        exclude=values["exclude"] or (),
        ignore_params=values["ignore_param"] or (),
        follow_tags=values["follow_tags"] or (),
        follow_nofollow=bool(values["ignore_nofollow"] or values["no_robots"]),
        requisites=bool(values["page_requisites"]),
        check_external=bool(values["check_external"]),
        trap_guard=not values["no_trap_guard"],
        want_links=bool(values["links"]),
        want_fragments=bool(values["check_fragments"]),
    )
