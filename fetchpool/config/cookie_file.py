"""Reads and writes cookie files in the Netscape format, which curl, wget and browser extensions use. In: a
file, or cookies. Out: the cookies of the file, or a `UsageError` of one line; the text of a file with the
cookies. No message repeats a cookie.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import time
from typing import Any

from fetchpool.config import validate
from fetchpool.config.request_values import read_file
from fetchpool.model.errors import UsageError
from fetchpool.model.record import Cookie

HEADER = "# Netscape HTTP Cookie File\n# Written by fetchpool. It may be edited.\n\n"
HTTP_ONLY = "#HttpOnly_"
"""Prefix of a line with a cookie that the scripts of a page can't read."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

CookieOption = str | os.PathLike[str] | Mapping[str, str] | Iterable[str | os.PathLike[str]] | None
"""`name=value; name=value`, the path of a file, several of these, or the cookies as a mapping."""


def cookie_option(label: str, value: Any) -> tuple[str, tuple[tuple[Cookie, float], ...]]:
    """Return the text of the `Cookie` header, and the cookies of files with their expiry."""
    if isinstance(value, Mapping):
        value = "; ".join(f"{name}={text}" for name, text in value.items())
    given = [value] if isinstance(value, str | os.PathLike) else value
    texts: list[str] = []
    cookies: list[tuple[Cookie, float]] = []
    for each in given:
        if isinstance(each, str) and ("=" in each or not each):
            texts += [validate.header_value(label, each)] if each else []
        elif isinstance(each, str | os.PathLike):
            cookies += read_cookies(label, os.fspath(each))
        else:
            raise UsageError(f"{label}: expected name=value or a file of cookies, got {type(each).__name__}")
    return "; ".join(texts), tuple(cookies)


def read_cookies(label: str, path: str) -> list[tuple[Cookie, float]]:
    """Return the cookies of a file, each with its expiry (0: the end of a session), without expired ones."""
    if not Path(path).is_file():
        raise UsageError(f"{label}: {path!r} is neither name=value nor a file of cookies")
    cookies = []
    now = time()
    for number, line in enumerate(read_file(label, path).decode("utf-8", "surrogateescape").splitlines(), 1):
        text = line.removeprefix(HTTP_ONLY)
        if not text.strip() or text.startswith("#"):
            continue
        fields = text.split("\t")
        if len(fields) == 6:  # without a value
            fields.append("")
        cookie = _cookie(fields)
        if cookie is None:
            raise UsageError(
                f"{label}: {path}: line {number} has no cookie in Netscape format (7 fields with tabs)"
            )
        if not cookie[1] or cookie[1] > now:
            cookies.append(cookie)
    return cookies


def _cookie(fields: list[str]) -> tuple[Cookie, float] | None:
    if len(fields) != 7:
        return None
    domain, subdomains, path, secure, expires, name, value = fields
    if not domain or not path.startswith("/") or not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", expires):
        return None
    if _CONTROL.search(name + value) or not (name + value).isascii():
        return None
    host_only = subdomains.upper() != "TRUE"
    cookie = Cookie(name, value, domain.lstrip(".").lower(), host_only, path, secure.upper() == "TRUE")
    return cookie, max(float(expires), 0.0)


def cookie_file(cookies: Iterable[tuple[Cookie, float]]) -> str:
    """Return the text of a file with these cookies."""
    lines = [HEADER]
    for cookie, expires in cookies:
        dot, truth = ("", "FALSE") if cookie.host_only else (".", "TRUE")
        secure = "TRUE" if cookie.secure else "FALSE"
        fields = (
            dot + cookie.domain,
            truth,
            cookie.path,
            secure,
            str(int(expires)),
            cookie.name,
            cookie.value,
        )
        lines.append("\t".join(fields) + "\n")
    return "".join(lines)


def jar_path(label: str, path: str) -> str:
    """Return the path of a cookie jar, a file that will be written."""
    if not path or path == "-":
        raise UsageError(f"{label}: expected the path of a file")
    if Path(path).is_dir():
        raise UsageError(f"{label}: {path}: is a directory; name a file in it")
    directory = Path(path).parent
    if not directory.is_dir():
        raise UsageError(f"{label}: {path}: there is no directory {directory}")
    return path
