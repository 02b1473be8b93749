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
        "Follow links to: host (the host of a start URL), prefix (its directory), origin, domain (with "
        "subdomains) or any.",
        only_with=RECURSIVE,
    ),
    Option(
        "include",
        "--include REGEX",
        types.PATTERNS,
        "Follow only links whose URL contains a match of REGEX. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "exclude",
        "--exclude REGEX",
        types.PATTERNS,
        "Do not follow links whose URL contains a match of REGEX, whatever --include says. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "depth",
        "-l --depth N",
        types.DEPTH,
        "Follow links up to N steps from the start URLs; 0 is no link at all. (default: no limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "max_pages",
        "--max-pages N",
        types.FIRST,
        "End after N rows, those of resumed runs included, with exit code 4 if URLs are left. (default: no "
        "limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "no_robots",
        "--no-robots",
        types.SWITCH,
        "Ignore robots.txt, and links and pages that are marked nofollow.",
        excludes=("robots",),
        only_with=RECURSIVE,
    ),
    Option(
        "ignore_nofollow",
        "--ignore-nofollow",
        types.SWITCH,
        "Follow links and pages that are marked nofollow; robots.txt is obeyed.",
        only_with=RECURSIVE,
    ),
    Option(
        "no_sitemap",
        "--no-sitemap",
        types.SWITCH,
        "Do not read the sitemaps that robots.txt names.",
        only_with=RECURSIVE,
    ),
    Option(
        "page_requisites",
        "-p --page-requisites",
        types.SWITCH,
        "Also fetch images, scripts, styles and fonts of the pages that are outside of the scope.",
        only_with=RECURSIVE,
    ),
    Option(
        "follow_tags",
        "--follow-tags NAME,...",
        types.TAGS,
        "Follow only the links of these tags, such as a,area.",
        only_with=RECURSIVE,
    ),
    Option(
        "ignore_param",
        "--ignore-param NAME",
        types.TEXTS,
        "Remove this query parameter from links; utm_* stands for all that begin with utm_. Repeatable.",
        only_with=RECURSIVE,
    ),
    Option(
        "no_trap_guard",
        "--no-trap-guard",
        types.SWITCH,
        "Follow links that look endless, such as /a/a/a/, too.",
        only_with=RECURSIVE,
    ),
    Option(
        "max_per_pattern",
        "--max-per-pattern N",
        types.FIRST,
        "Fetch only N URLs of one shape, such as /calendar?month=1 and ?month=2. (default: no limit)",
        only_with=RECURSIVE,
    ),
    Option(
        "check_external",
        "--check-external",
        types.SWITCH,
        "Also request links outside of the scope, once each, to see if they work: HEAD, then GET if that "
        "fails. Nothing is followed there.",
        only_with=RECURSIVE,
    ),
    Option(
        "check_fragments",
        "--check-fragments",
        types.SWITCH,
        "Look for the element that each link with a #fragment names, for fetchpool broken. Needs --links.",
        only_with=("links", ""),
    ),
    Option(
        "links",
        "--links PATH",
        types.LINKS,
        "Write every link to PATH, followed or not: .jsonl, .csv, .tsv, .sqlite or .parquet.",
        only_with=RECURSIVE,
    ),
    Option(
        "frontier",
        "--frontier PATH",
        types.FRONTIER,
        "File of the URLs that were found. (default: the first output's name with .frontier.jsonl)",
        Scope.CONFIG,
        only_with=RECURSIVE,
    ),
)
