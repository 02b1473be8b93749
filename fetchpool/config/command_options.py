"""The options that only commands other than `run` have, such as `fetchpool report --term`.

They are declared like those in `options.py`, and are set on the command line only.
"""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.option import Option, Scope, Settable

REPORT_OUTPUT = Option(
    "output",
    "-o --output PATH",
    types.TEXT,
    "Write the report to PATH; '-' is standard output. Suffix .html is a page, .json the numbers, .txt text.",
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
