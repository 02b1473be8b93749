"""Parses the header `Link` (RFC 8288): targets with their relations."""

from __future__ import annotations

import re
from collections.abc import Iterable

LINK = re.compile(r"""<([^<>]*+)>([^,"]*+(?:"[^"]*+"[^,"]*+)*)""")
RELATION = re.compile(r""";\s*+rel\s*+=\s*+(?:"([^"]*+)"|([^\s;,"]++))""", re.IGNORECASE)


def header_links(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return each target, as written, with its space-separated relations. Links with another context
    (`anchor`) are left out."""
    links: list[tuple[str, str]] = []
    for value in values:
        for target, parameters in LINK.findall(value):
            if "anchor" not in parameters.lower() and (relation := RELATION.search(parameters)):
                links.append((target, relation[1] or relation[2] or ""))
    return links
