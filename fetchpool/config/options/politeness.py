"""Options of the group "Politeness": limits of the load on hosts."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "host_delay",
        "--host-delay TIME",
        types.DURATION,
        "Minimum delay between two requests to the same host. Status 429, Retry-After and repeated 503 "
        "increase it.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "rate",
        "--rate N/s",
        types.RATE_LIMIT,
        "Maximum request rate over all hosts, evenly spaced: 10/s, 30/m, 1000/h; 0 is no limit.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "retry_after_max",
        "--retry-after-max TIME",
        types.DURATION,
        "Upper limit for a server's Retry-After.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "robots",
        "--robots",
        types.SWITCH,
        "Obey robots.txt, including Crawl-delay. Off by default, because fetching a list is not crawling.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_runtime",
        "--max-runtime TIME",
        types.DURATION_LIMIT,
        "After TIME, start no more fetches, finish those in flight, and exit with code 4; 0 is no limit.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_failures",
        "--max-failures N",
        types.INTEGER_LIMIT,
        "After N failed URLs, start no more fetches, finish those in flight, and exit with code 4; 0 is no "
        "limit.",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "public_only",
        "--public-only",
        types.SWITCH,
        "For untrusted lists: refuse private, loopback and link-local addresses. By default they are "
        "refused only in redirects from public pages.",
        Scope.POOL,
        excludes=("allow_private",),
    ),
    Option(
        "allow_private",
        "--allow-private",
        types.SWITCH,
        "Allow redirects from public pages to private addresses.",
        Scope.POOL,
    ),
    Option(
        "dry_run",
        "--dry-run",
        types.SWITCH,
        "Fetch nothing; print the number of URLs, hosts and duplicates, and the minimum time of a run.",
        Scope.FLAG,
    ),
)
