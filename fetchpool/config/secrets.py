"""Hides secrets in the values of options, and recognizes credentials.

In: the kind of secret that an option's value may have, and the value. Out: text that can be shown, or whether
a file with this value must be readable by its owner only. When in doubt, a value is hidden.
"""

from __future__ import annotations

import re
from pathlib import Path

from fetchpool.config.option import Secret

HIDDEN = "***"
HARMLESS_HEADERS = frozenset(
    (
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "dnt"),
        *("if-modified-since", "if-none-match", "origin", "pragma", "range", "referer", "user-agent"),
    )
)
_CREDENTIALS = re.compile(r"auth|cookie|credential|key|passw|secret|session|token", re.IGNORECASE)
"""Parts of a header's name that mark its value as a credential."""


def hide(kind: Secret, text: str) -> str:
    """Return the text of a value without its secret. The name of a file is not secret."""
    if kind is Secret.HEADER:
        return _hide_header(text)
    if kind is Secret.COOKIE:
        return HIDDEN if "=" in text else text
    if kind is Secret.BODY:
        return text if text.startswith("@") else HIDDEN
    if kind is Secret.USERINFO:
        before, at, host = text.rpartition("@")
        scheme, separator, _ = before.partition("://")
        return f"{scheme if separator else ''}{separator}{HIDDEN}@{host}" if at else text
    if kind is Secret.KEY_PASSWORD and Path(text).is_file():
        return text
    name, _, password = text.partition(":")
    return f"{name}:{HIDDEN}" if password else text


def _hide_header(line: str) -> str:
    if line.startswith("@"):
        return line
    name, colon, _ = line.partition(":")
    if not colon:
        return line if line.endswith(";") else HIDDEN
    return line if name.strip().lower() in HARMLESS_HEADERS else f"{name}: {HIDDEN}"


def is_credential(kind: Secret, text: str) -> bool:
    """Whether the text of a value gives access to something."""
    if kind is Secret.BODY or hide(kind, text) == text:
        return False
    return kind is not Secret.HEADER or _CREDENTIALS.search(text.partition(":")[0]) is not None
