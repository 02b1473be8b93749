"""The template of `--save-as`: readable names for saved bodies.

In: text such as `{host}/{path}`. Out: the checked text, or a `UsageError` of one line. `sinks/save_names.py`
fills it in.
"""

from __future__ import annotations

import re

from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible

FIELDS = ("host", "path", "urlnum", "sha256", "ext")
FIELD = re.compile(r"\{([^{}]*)\}")
EXPECTED = "expected a name such as '{host}/{path}', with " + ", ".join(f"{{{name}}}" for name in FIELDS)


def save_template(option: str, value: str | None) -> str:
    """Return the template; empty for None."""
    if value is None:
        return ""
    for name in FIELD.findall(value):
        if name not in FIELDS:
            raise UsageError(f"{option}: no {{{escape_invisible(name)}}}; {EXPECTED}")
    rest = FIELD.sub("", value)
    if "{" in rest or "}" in rest or not FIELD.search(value):
        raise UsageError(f"{option}: {EXPECTED}")
    if value.startswith("/") or any(part in (".", "..") for part in value.split("/")):
        raise UsageError(f"{option}: names are within the directory of --save; {EXPECTED}")
    if value.endswith("/"):
        raise UsageError(f"{option}: a name can't end in '/'; {EXPECTED}")
    if not rest.isprintable():
        raise UsageError(f"{option}: control characters are not allowed")
    return value
