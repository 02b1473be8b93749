"""Checks single options.

In: a value from the command line or a program, and the option's name for the message. Out: the checked value,
or a `UsageError` of one line that says what is expected. No message repeats a value that may be a secret.
Rules for several options together are in `configure.py`.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

from fetchpool.config import units
from fetchpool.model import failures, urls
from fetchpool.model.closest import closest
from fetchpool.model.errors import NO_FILE, UsageError

PROXY_PORTS = {"http": 1080, "https": 443, "socks5": 1080, "socks5h": 1080}
"""curl's default port by scheme."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""A method or a header's name (RFC 9110 section 5.6.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that a header value must not contain (RFC 9110 section 5.5): a line break would start a new
header."""
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")

NO_PASSWORD = "--user: expected name:password ('name:' for an empty password)"

NUMBERS: dict[Any, type] = {int: Integral, float: Real}

DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
ENCODINGS = (
    *("utf-8", "utf-16", "cp1252", "latin-1", "shift_jis", "windows-1252", "iso-8859-1", "iso-8859-15"),
    *("utf-16-le", "utf-16-be", "utf-32", "cp1250", "cp1251", "cp437", "cp850", "iso-8859-2", "koi8-r"),
    *("mac-roman", "gbk", "gb18030", "big5", "euc-jp", "euc-kr", "ascii"),
)
"""Encodings to suggest."""
NO_ENCODINGS = frozenset(("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"))
"""Codecs of Python that are not text encodings."""

_Given = TypeVar("_Given")
_Checked = TypeVar("_Checked")

Headers = Mapping[str, str] | Iterable[str | tuple[str, str]]
"""Headers as a program may pass them: a mapping, pairs, or lines as for `header()`."""


def check_type(name: str, value: object, kind: Any) -> Any:
    """Return a program's value for the setting `name` if it has the annotated type; a path becomes text. The
    value is not included in the message, as it may be a secret."""
    if isinstance(value, PathLike) and matches(value, kind):
        value = os.fspath(value)
    if not matches(value, kind):
        takes = kind.__name__ if isinstance(kind, type) else re.sub(r"[\w.]+\.", "", str(kind))
        raise UsageError(f"{name}: expected {takes}, got {type(value).__name__}")
    return value


def matches(value: object, kind: Any) -> bool:
    """Whether a value has an annotated type. Unlike with `isinstance()`, a str is not a sequence, a bool is
    not a number, and numbers of other libraries (NumPy) are numbers."""
    if isinstance(kind, UnionType):
        return any(matches(value, each) for each in get_args(kind))
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, str):
        return kind is str
    if get_origin(kind) is Sequence:
        return isinstance(value, Sequence) and all(matches(each, *get_args(kind)) for each in value)
    return isinstance(value, NUMBERS.get(kind) or get_origin(kind) or kind)


def header(text: str) -> tuple[str, str]:
    """Return the header in `Name: value`, or in `Name;` for an empty value, as curl does."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if colon and value:
        return header_pair(name, value)
    if not colon and text.endswith(";"):
        return header_pair(text[:-1], "")
    missing = "value" if colon else "colon"
    raise UsageError(f"--header: missing {missing}; expected 'Name: value' (or 'Name;' for an empty value)")


def headers(given: Headers) -> tuple[tuple[str, str], ...]:
    """Return headers in order, including repeated ones."""
    if isinstance(given, str):  # would be read as a list of characters
        raise UsageError("--header: expected a list of headers, got a string")
    if not isinstance(given, Iterable):
        raise UsageError(f"--header: expected a list of headers, got {type(given).__name__}")
    lines = given.items() if isinstance(given, Mapping) else given
    return tuple(header(line) if isinstance(line, str) else header_pair(*_pair(line)) for line in lines)


def _pair(given: object) -> tuple[str, str]:
    match given:
        case (str() as name, str() as value):
            return name, value
        case (str() as name, other):
            raise UsageError(f"--header {name}: expected str, got {type(other).__name__}")
    raise UsageError("--header: expected 'Name: value' or a pair of str")


def header_pair(name: str, value: str) -> tuple[str, str]:
    """Return a header with a valid name and value."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--header: invalid header name {name!r}")
    if name.lower() in ("content-length", "transfer-encoding"):
        raise UsageError(f"--header: {name} is not allowed; it follows from the body (--data)")
    return name, header_value(f"--header {name}", value)


def header_value(option: str, text: str) -> str:
    """Return text that is valid as a header's value."""
    if _CONTROL.search(text):
        raise UsageError(f"{option}: control characters and line breaks are not allowed")
    if not text.isascii():  # headers have no charset; servers and transports would disagree
        raise UsageError(f"{option}: only ASCII is allowed; percent-encode other characters")
    return text


def user(credentials: str) -> str:
    """Return credentials in the form `name:password` (RFC 7617), or a name alone, whose password comes from
    elsewhere."""
    if not credentials or credentials.startswith(":"):
        raise UsageError(NO_PASSWORD)
    if _CONTROL.search(credentials):
        raise UsageError("--user: control characters are not allowed")
    try:
        credentials.encode()
    except UnicodeEncodeError:
        raise UsageError("--user: not valid UTF-8 (RFC 7617)") from None
    return credentials


def method(name: str) -> str:
    """Return a request method; common ones in upper case."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--method: {name!r} is not an HTTP method such as GET, HEAD or OPTIONS")
    upper = name.upper()
    if upper == "CONNECT":
        raise UsageError("--method: CONNECT is for proxies only; use --proxy")
    # Methods are case-sensitive (RFC 9110 section 9.1), but no server has one called `get`.
    return upper if upper in _METHODS else name


def proxy(address: str) -> str:
    """Return a proxy's URL with scheme and port, so that all transports connect to the same address."""
    text = address if "://" in address else f"http://{address}"
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in PROXY_PORTS:
        raise UsageError(f"--proxy: unsupported scheme {scheme!r}; use http, https, socks5 or socks5h")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    parsed = urls.parse(f"http://{authority}")
    try:
        port = urlsplit(f"http://{authority}").port
    except ValueError:  # not a number, or beyond 65535
        port = 0
    if isinstance(parsed, urls.InvalidUrl) or port == 0:
        raise UsageError(
            "--proxy: invalid address; expected [http|https|socks5|socks5h://][name:password@]host[:port]"
        )
    userinfo, at, _ = authority.rpartition("@")
    return f"{scheme}://{userinfo}{at}{parsed.host}:{port or PROXY_PORTS[scheme]}"


def file(label: str, path: str) -> str:
    """Return the path of an existing file."""
    if not Path(path).is_file():
        raise UsageError(f"{label}: {path!r} is not a file; check its name")
    return path


def cacert(path: str) -> str:
    """Return the path of an existing file. The TLS library checks the certificates in it."""
    if not Path(path).is_file():
        raise UsageError(f"--cacert: {path!r} is not a file; expected a file of PEM certificates")
    return path


def column_name(name: str) -> str:
    """Return the name of a column, which must not be empty."""
    if not name:
        raise UsageError("--url-column: expected the name of a column, got an empty string")
    return name


def delimiter(char: str) -> str:
    """Return the delimiter of a table: one character, also by name."""
    char = DELIMITER_NAMES.get(char.lower(), char)
    if len(char) != 1 or char in '"\r\n\0' or char.isalnum():
        raise UsageError("--delimiter: expected one character such as ; or the word tab")
    return char


def encoding(name: str) -> str:
    """Return the name of a text encoding. UTF-8 with a byte order mark is UTF-8."""
    try:
        "".encode(name)  # refuses codecs that are not text encodings
        known = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        known = ""
    if not known or known in NO_ENCODINGS:
        similar = closest(name.lower(), ENCODINGS)
        hint = f"; did you mean {similar}?" if similar else f"; usual ones are {', '.join(ENCODINGS[:5])}"
        raise UsageError(f"--encoding: no encoding {name!r}{hint}")
    return "utf-8" if known == "utf-8-sig" else known


def places(option: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """Return paths or URLs, each once, in order."""
    listed = (given,) if isinstance(given, str) else tuple(given)
    if not all(listed):
        raise UsageError(f"{option}: expected a path or a URL, got an empty string")
    return tuple(dict.fromkeys(listed))


def log_file(option: str, path: str) -> str:
    """Return the path of a log."""
    if not path or path == "-":
        raise UsageError(f"{option}: expected the name of a file; --progress plain writes to standard error")
    return path


def old_output(path: str) -> str:
    """Return the path of an existing output."""
    if not path or path == "-":
        raise UsageError("--refresh: expected the output of an earlier run, a file or directory")
    if not Path(path).exists():
        raise UsageError(f"--refresh: {path}: {NO_FILE}")
    return path


def choice(option: str, value: str, choices: Sequence[str]) -> str:
    """Return one of `choices`. For any other value the message suggests the most similar one."""
    if value in choices:
        return value
    if len(choices) == 1:
        raise UsageError(f"{option}: {value!r} is not supported; use {choices[0]}")
    similar = closest(value.lower(), choices)
    hint = f"; did you mean {similar}?" if similar else ""
    raise UsageError(f"{option}: {value!r} is not one of {', '.join(choices)}{hint}")


def field_names(option: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the names of fields in `url,title` or several such texts."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable) or not all(isinstance(each, str) for each in listed):
        raise UsageError(f"{option}: expected names of fields, such as url,response_code")
    found = [name.strip() for each in listed for name in each.split(",")]
    if "" in found:
        raise UsageError(f"{option}: expected names of fields, such as url,response_code; got an empty name")
    twice = [name for name in found if found.count(name) > 1]
    if twice:
        raise UsageError(f"{option}: {twice[0]!r} is given twice")
    return tuple(found)


def integer(option: str, value: int | str, low: int, high: int | None = None) -> int:
    """Return an integer from `low` to `high`, both included."""
    return _checked(option, lambda given: units.integer(given, low, high), value)


def duration(option: str, value: float | str) -> float:
    """Return a duration in seconds."""
    return _checked(option, units.duration, value)


def timeout(option: str, value: float | str) -> float:
    """Return a timeout in seconds. Unlike in curl, 0 is invalid: every URL has a timeout."""
    seconds = duration(option, value)
    if seconds == 0:
        raise UsageError(f"{option}: must be more than 0")
    return seconds


def size(option: str, value: int | str) -> int:
    """Return a size in bytes."""
    return _checked(option, units.size, value)


def error_names(option: str, names: str | Iterable[str]) -> frozenset[str]:
    """Return the errors in `all`, `timeout,http_5xx` or several such texts."""
    listed = [names] if isinstance(names, str) else names
    split = [name.strip() for each in listed for name in each.split(",")]
    return _checked(option, failures.errors_named, split)


def _checked(option: str, check: Callable[[_Given], _Checked], value: _Given) -> _Checked:
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def rate(option: str, value: float | str) -> float:
    """Return a rate per second."""
    return _checked(option, units.rate, value)


def resolve(lines: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the addresses by `host:port` from lines of `host:port:address[,address]`, as in curl's
    `--resolve`. An IPv6 address may be in brackets."""
    return tuple(_resolve(line) for line in lines)


def _resolve(line: str) -> tuple[str, tuple[str, ...]]:
    host, _, rest = line.partition(":")
    port, _, listed = rest.partition(":")
    url = urls.parse(f"http://{host}:{port}/") if port.isdecimal() else None
    if not isinstance(url, urls.Url) or not listed:
        raise UsageError(f"--resolve: {line!r} is not HOST:PORT:ADDRESS, such as example.org:443:192.0.2.1")
    addresses = []
    for text in listed.split(","):
        try:
            address = ip_address(text.strip("[]"))
        except ValueError:
            raise UsageError(f"--resolve: {text!r} is not an IP address") from None
        addresses.append(f"[{address}]" if address.version == 6 else str(address))
    return f"{url.host}:{int(port)}", tuple(addresses)
