"""Makes the names of saved bodies from the template of `--save-as`.

In: a URL, its position in the input, the hash and the type of its body. Out: the parts of a relative path
that every file system accepts and that can't lead out of the directory, whatever the URL is. Different URLs
may get the same name; `bodies.py` keeps them apart. Pure.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import category, normalize
from urllib.parse import unquote, urlsplit

from fetchpool.config.save_template import FIELD
from fetchpool.model.text import INVISIBLE

MAX_PART = 200
"""Maximum length of a part in bytes. File systems allow 255, and a suffix may follow."""
MAX_PATH = 900
MAX_PARTS = 40
"""Maximum length of a path in bytes, and number of its parts: some systems allow 1,024 bytes, and programs
that walk directories have limits."""
DIGITS = 16
"""Number of digits of a hash in a name."""
INDEX = "index"
"""The name of a page whose path ends in a slash."""

_RESERVED = frozenset('/\\:*?"<>|')
"""Characters that are not allowed in names on Windows, or have a meaning there."""
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[0-9A-Za-z]{1,8}")


def parts_of(template: str, href: str, urlnum: int, sha256: str, extension: str) -> list[str]:
    """Return the parts of the path. `href` is a normalized URL."""
    url = urlsplit(href)
    values = {
        "host": safe(url.netloc.rpartition("@")[2].strip("[]").replace("]:", "_")),
        "path": _path(url.path, url.query, extension),
        "urlnum": str(urlnum),
        "sha256": sha256,
        "ext": extension,
    }
    filled = FIELD.sub(lambda found: values[found[1]], template)
    return _bounded([safe(part) for part in filled.split("/") if part] or ["_"])


def _path(path: str, query: str, extension: str) -> str:
    """Return the URL's path, safe, with the query before the extension of its last part."""
    *directories, last = [unquote(part, errors="replace") for part in path.split("/")]
    if not last:
        last = f"{INDEX}.{extension}"
    if query:
        stem, suffix = with_suffix(last)
        last = f"{stem}_{unquote(query, errors='replace')}{suffix}"
    return "/".join(safe(part) for part in (*directories, last) if part)


def safe(part: str) -> str:
    """Return a part without characters that some file system rejects or that have a meaning in a path."""
    part = normalize("NFC", part)
    part = "".join("_" if char in _RESERVED or category(char) in INVISIBLE else char for char in part)
    part = part.rstrip(". ")
    if part.lstrip(" ")[:1] in ("", ".", "-", "~"):
        part = f"_{part.lstrip(' ')[1:]}"
    if _DEVICES.fullmatch(part):
        part = f"_{part}"
    return shortened(part, MAX_PART)


def shortened(part: str, most: int) -> str:
    """Return a part of at most `most` bytes: the middle of a longer one is replaced by its hash."""
    if len(part.encode()) <= most:
        return part
    stem, suffix = with_suffix(part)
    mark = f"~{digest(part)}{suffix}"
    return stem.encode()[: most - len(mark)].decode(errors="ignore") + mark


def with_suffix(part: str) -> tuple[str, str]:
    """Return a part without its extension, and the extension with its dot; empty if it has none."""
    stem, dot, extension = part.rpartition(".")
    return (stem, f".{extension}") if stem and _EXTENSION.fullmatch(dot + extension) else (part, "")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _bounded(parts: list[str]) -> list[str]:
    """Return the parts; if the path is too long, the first part, and the last one with the hash of the
    complete path."""
    path = "/".join(parts)
    if len(parts) <= MAX_PARTS and len(path.encode()) <= MAX_PATH:
        return parts
    stem, suffix = with_suffix(parts[-1])
    return [parts[0], f"{shortened(stem, MAX_PART - DIGITS - 10)}~{digest(path)}{suffix}"]
