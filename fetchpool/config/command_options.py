"""The options that only commands other than `run` have, such as `fetchpool report --term`.

They are declared like those in `options/`, and are set on the command line only.
"""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.choices import LOCAL_EXECUTORS, TRANSPORTS
from fetchpool.config.option import Option, Scope, Settable

REPORT_OUTPUT = Option(
    "output",
    "-o --output PATH",
    types.TEXT,
    "Write the report to PATH; '-' is standard output. The suffix .html selects a page, .json the numbers, "
    ".txt text.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
REPORT_TERM = Option(
    "as_text",
    "--term",
    types.SWITCH,
    "Write the report as text, for a terminal.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
REPORT_JSON = Option(
    "as_json",
    "--json",
    types.SWITCH,
    "Write the numbers as JSON, for programs.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
LINK_FORMATS = ("text", "json", "junit", "markdown")
LINK_FORMAT = Option(
    "format",
    "--format NAME",
    types.one_of(LINK_FORMATS),
    "Format of the report: text, json, junit (XML, for CI systems) or markdown.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
BROKEN_LINKS = Option(
    "links",
    "--links PATH",
    types.TEXT,
    "The links of the crawl, written by --links. With them, the report lists every page that links to a "
    "broken URL, not only the first, and the missing fragments that --check-fragments found.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
NO_EXTERNAL = Option(
    "no_external",
    "--no-external",
    types.SWITCH,
    "Check only links within the scope.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
NO_FRAGMENTS = Option(
    "no_fragments",
    "--no-fragments",
    types.SWITCH,
    "Do not check the #fragments of links.",
    Scope.FLAG,
    settable=Settable.TYPED,
)
COMPARE = (
    Option(
        "executors",
        "--executors NAME,...",
        types.several_of(LOCAL_EXECUTORS),
        "Executors to compare.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "transports",
        "--transports NAME,...",
        types.several_of(TRANSPORTS),
        "Transports to compare.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "repeat",
        "--repeat N",
        types.COUNT,
        "Number of trials of each combination, after a warm-up trial.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "seed",
        "--seed N",
        types.SEED,
        "Seed of the random order of the trials. By default a new seed is chosen and printed.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "strict",
        "--strict",
        types.SWITCH,
        "Exit with 1 if the rows of the trials differ.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "yes",
        "--yes",
        types.SWITCH,
        "Allow public hosts: every URL is requested once in each trial.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
)
