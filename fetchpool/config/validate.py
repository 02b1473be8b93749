"""One option each: what a person wrote in, the checked value out.

In: text or a number, and the option's name for the message. Out: a value that every room behind may
trust, or a `UsageError` of one line that says what would do. No message repeats what may be a secret.
No option is known to another one here; what two of them mean together is `config`'s.
"""

from __future__ import annotations

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
from fetchpool.model import failures as kinds
from fetchpool.model import urls
from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError

PROXY_PORTS = {"http": 1080, "https": 443, "socks5": 1080, "socks5h": 1080}
"""By scheme, the port curl takes where none is given."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""A method or a header's name (RFC 9110 section 5.6.2)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header value may hold (RFC 9110 section 5.5): a line break starts a header of its own."""
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")

NUMBERS: dict[Any, type] = {int: Integral, float: Real}

_Given = TypeVar("_Given")
_Checked = TypeVar("_Checked")

Headers = Mapping[str, str] | Iterable[str | tuple[str, str]]
"""As a program may hand them over: a mapping, pairs, or lines as for `header()`."""


def typed(name: str, value: object, kind: Any) -> Any:
    """A program's value for the setting `name`, if it is of the type that it is annotated with; a path as
    text. The value may be a secret, and isn't said."""
    if isinstance(value, PathLike) and matches(value, kind):
        value = os.fspath(value)
    if not matches(value, kind):
        takes = kind.__name__ if isinstance(kind, type) else re.sub(r"[\w.]+\.", "", str(kind))
        raise UsageError(f"{name}: expected {takes}, got {type(value).__name__}")
    return value


def matches(value: object, kind: Any) -> bool:
    """Whether a value is of an annotated type. Unlike for `isinstance()`, text is no sequence of texts, and
    no truth value a number; any number is, NumPy's too."""
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
    """A header from `Name: value`, or from `Name;` for one without a value, as curl reads it."""
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if colon and value:
        return header_pair(name, value)
    if not colon and text.endswith(";"):
        return header_pair(text[:-1], "")
    missing = "value" if colon else "colon"
    raise UsageError(f"--header: there is no {missing}; write 'Name: value', or 'Name;' to send it empty")


def headers(given: Headers) -> tuple[tuple[str, str], ...]:
    """Headers in their order, repeated ones kept."""
    if isinstance(given, str):  # would be taken letter by letter
        raise UsageError("--header: a list of headers is needed, not one string")
    if not isinstance(given, Iterable):
        raise UsageError(f"--header: a list of headers is needed, and not {type(given).__name__}")
    lines = given.items() if isinstance(given, Mapping) else given
    return tuple(header(line) if isinstance(line, str) else header_pair(*_pair(line)) for line in lines)


def _pair(given: object) -> tuple[str, str]:
    match given:
        case (str() as name, str() as value):
            return name, value
        case (str() as name, other):
            raise UsageError(f"--header {name}: a value is text, and not {type(other).__name__}")
    raise UsageError("--header: not a name and a value; write 'Name: value', or both as a pair of texts")


def header_pair(name: str, value: str) -> tuple[str, str]:
    """A header whose name is a name and whose value stays one value."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--header: {name!r} can't be a header's name; letters, digits and '-' would do")
    if name.lower() in ("content-length", "transfer-encoding"):
        raise UsageError(f"--header: {name} describes a request's body, and none is sent; leave it out")
    return name, header_value(f"--header {name}", value)


def header_value(option: str, text: str) -> str:
    """Text that can be a header's value."""
    if _CONTROL.search(text):
        raise UsageError(f"{option}: a line break or another control character can't be sent; leave it out")
    if not text.isascii():  # the wire knows no charset here; servers disagree, and so would the transports
        raise UsageError(f"{option}: only ASCII can be sent here; percent-encode the rest")
    return text


def user(credentials: str) -> str:
    """`name:password` (RFC 7617), the password possibly empty."""
    if ":" not in credentials or credentials.startswith(":"):
        raise UsageError("--user: write name:password (with an empty password: 'name:')")
    if _CONTROL.search(credentials):
        raise UsageError("--user: a control character can't be sent; leave it out")
    try:
        credentials.encode()
    except UnicodeEncodeError:
        raise UsageError("--user: not UTF-8, which is what is sent (RFC 7617); write it as UTF-8") from None
    return credentials


def method(name: str) -> str:
    """A request's method; the well-known ones in capitals."""
    if not _TOKEN.fullmatch(name):
        raise UsageError(f"--method: {name!r} is not an HTTP method; write GET, HEAD or OPTIONS, say")
    upper = name.upper()
    if upper == "CONNECT":
        raise UsageError("--method: CONNECT is for proxies; to go through one use --proxy")
    # Methods are case-sensitive (RFC 9110 section 9.1), but nobody means `get` by `get`.
    return upper if upper in _METHODS else name


def proxy(address: str) -> str:
    """A proxy's URL with scheme and port written out, so that every transport dials the same."""
    text = address if "://" in address else f"http://{address}"
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in PROXY_PORTS:
        raise UsageError(f"--proxy: {scheme!r} is not a supported scheme; use http, https, socks5 or socks5h")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    parsed = urls.parse(f"http://{authority}")
    try:
        port = urlsplit(f"http://{authority}").port
    except ValueError:  # not a number, or beyond 65535
        port = 0
    if isinstance(parsed, urls.InvalidUrl) or port == 0:
        raise UsageError(
            "--proxy: not an address; write [http|https|socks5|socks5h://][name:password@]host[:port]"
        )
    userinfo, at, _ = authority.rpartition("@")
    return f"{scheme}://{userinfo}{at}{parsed.host}:{port or PROXY_PORTS[scheme]}"


def cacert(path: str) -> str:
    """A file that is there; whether certificates are in it, the TLS library finds out."""
    if not Path(path).is_file():
        raise UsageError(f"--cacert: {path!r} is not a file; name one with certificates in PEM form")
    return path


def column_name(name: str) -> str:
    """A column's name."""
    if not name:
        raise UsageError("--url-column: an empty name; write a column's name")
    return name


def old_output(path: str) -> str:
    """The output of an earlier run, which is there."""
    if not path or path == "-":
        raise UsageError("--refresh: expected the output of an earlier run, a file or directory")
    if not Path(path).exists():
        raise UsageError(f"--refresh: {path}: no such file; check its name")
    return path


def choice(option: str, value: str, choices: Sequence[str]) -> str:
    """One of `choices`; for a slip of the keyboard the message offers the one that was meant."""
    if value in choices:
        return value
    if len(choices) == 1:
        raise UsageError(f"{option}: {value!r} is not offered; there is only {choices[0]}")
    meant = closest(value.lower(), choices)
    hint = f"did you mean {meant}?" if meant else f"write {' or '.join(choices)}"
    raise UsageError(f"{option}: {value!r} is not one of {', '.join(choices)}; {hint}")


def names(option: str, value: str | Iterable[str], meant: str) -> tuple[str, ...]:
    """Each once, in order. A function itself is refused: workers in other processes load it by its name."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable) or not all(isinstance(name, str) for name in listed):
        raise UsageError(f"{option}: workers load what it means by name; write {meant}, as text")
    return tuple(dict.fromkeys(listed))


def whole(option: str, value: int | str, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`, both included."""
    return _checked(option, lambda given: units.whole(given, low, high), value)


def duration(option: str, value: float | str) -> float:
    """Seconds."""
    return _checked(option, units.duration, value)


def deadline(option: str, value: float | str) -> float:
    """Seconds, and never 0, which is curl's "no limit": no URL outlives its deadline here."""
    seconds = duration(option, value)
    if seconds == 0:
        raise UsageError(f"{option}: must be longer than 0; for a very long one write 1d")
    return seconds


def size(option: str, value: int | str) -> int:
    """Bytes."""
    return _checked(option, units.size, value)


def failures(option: str, words: str | Iterable[str]) -> frozenset[str]:
    """Errors, from `all`, `timeout,http_5xx` or several such words."""
    listed = [words] if isinstance(words, str) else words
    named = [name.strip() for each in listed for name in each.split(",")]
    return _checked(option, kinds.errors_named, named)


def _checked(option: str, check: Callable[[_Given], _Checked], value: _Given) -> _Checked:
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def rate(option: str, value: float | str) -> float:
    return _checked(option, units.rate, value)


def resolve(lines: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`host:port:address[,address]`, as curl's `--resolve`; an IPv6 address in brackets or without."""
    return tuple(_resolve(line) for line in lines)


def _resolve(line: str) -> tuple[str, tuple[str, ...]]:
    host, _, rest = line.partition(":")
    port, _, listed = rest.partition(":")
    url = urls.parse(f"http://{host}:{port}/") if port.isdecimal() else None
    if not isinstance(url, urls.Url) or not listed:
        raise UsageError(f"--resolve: {line!r} is not HOST:PORT:ADDRESS; write example.org:443:192.0.2.1")
    addresses = []
    for text in listed.split(","):
        try:
            address = ip_address(text.strip("[]"))
        except ValueError:
            raise UsageError(f"--resolve: {text!r} is not an IP address") from None
        addresses.append(f"[{address}]" if address.version == 6 else str(address))
    return f"{url.host}:{int(port)}", tuple(addresses)
