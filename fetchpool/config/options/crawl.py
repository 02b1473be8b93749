"""Options of the group "Crawl": which links are followed."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope

RECURSIVE = ("recursive", "")

OPTIONS: tuple[Option, ...] = (
    Option(
        "recursive",
        "-r --recursive",
        types.SWITCH,
        "Follow the links of pages: fetch all pages of a site, each once. Obeys robots.txt and nofollow.",
    ),
    Option(
        "scope",
        "--scope NAME",
        types.SCOPE,
        "Follow links within: host (the host of a start URL), prefix (its directory), origin, domain (with "
        "subdomains) or any (no restriction).",
        only_with=RECURSIVE,
    ),
    Option(
        "include",
        "--include REGEX",
        types.PATTERNS,
        "Follow only links whose URL contains a match for REGEX. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "exclude",
        "--exclude REGEX",
        types.PATTERNS,
        "Do not follow links whose URL contains a match for REGEX, even if --include matches. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "depth",
        "-l --depth N",
        types.DEPTH,
        "Follow links up to N steps from the start URLs; 0 follows no links. (default: no limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "max_pages",
        "--max-pages N",
        types.FIRST,
        "Stop after N rows, including those of earlier runs, with exit code 4 if URLs are left. (default: "
        "no limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "no_robots",
        "--no-robots",
        types.SWITCH,
        "Ignore robots.txt and nofollow.",
        excludes=("robots",),
        only_with=RECURSIVE,
    ),
    Option(
        "ignore_nofollow",
        "--ignore-nofollow",
        types.SWITCH,
        "Ignore nofollow, but obey robots.txt.",
        only_with=RECURSIVE,
    ),
    Option(
        "no_sitemap",
        "--no-sitemap",
        types.SWITCH,
        "Do not read the sitemaps listed in robots.txt.",
        only_with=RECURSIVE,
    ),
    Option(
        "page_requisites",
        "-p --page-requisites",
        types.SWITCH,
        "Also fetch the images, scripts, stylesheets and fonts of pages if they are outside the scope.",
        only_with=RECURSIVE,
    ),
    Option(
        "follow_tags",
        "--follow-tags NAME,...",
        types.TAGS,
        "Follow only links in these HTML tags, such as a,area.",
        only_with=RECURSIVE,
    ),
    Option(
        "ignore_param",
        "--ignore-param NAME",
        types.TEXTS,
        "Remove this query parameter from links; utm_* matches all that begin with utm_. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "no_trap_guard",
        "--no-trap-guard",
        types.SWITCH,
        "Also follow links that look endless, such as /a/a/a/.",
        only_with=RECURSIVE,
    ),
    Option(
        "max_per_pattern",
        "--max-per-pattern N",
        types.FIRST,
        "Fetch at most N URLs that differ only in numbers, such as /calendar?month=1 and ?month=2. "
        "(default: no limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "check_external",
        "--check-external",
        types.SWITCH,
        "Also check links outside the scope, once each, without following them: HEAD, then GET if that "
        "fails.",
        only_with=RECURSIVE,
    ),
    Option(
        "check_fragments",
        "--check-fragments",
        types.SWITCH,
        "Check that the #fragments of links exist in their target pages, for fetchpool broken. Needs "
        "--links.",
        only_with=("links", ""),
    ),
    Option(
        "links",
        "--links PATH",
        types.LINKS,
        "Write every link, followed or not, to PATH: .jsonl, .csv, .tsv, .sqlite or .parquet.",
        only_with=RECURSIVE,
    ),
    Option(
        "frontier",
        "--frontier PATH",
        types.FRONTIER,
        "File for the URLs that the crawl has found. (default: the first output's name with .frontier.jsonl)",
        Scope.CONFIG,
        only_with=RECURSIVE,
    ),
)
