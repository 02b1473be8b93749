"""Encodes requests and outcomes as bytes, for workers in other processes. In: numbered requests, or outcomes.
Out: bytes, and the same values again from them. The format is MessagePack: a version, then the fields of each
request or row by position. Reading runs no code of the sender's, unlike unpickling, and takes about 1 µs for
each value.

In transit the number replaces `urlnum`, which is unique within a run but not within a pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple, replace

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest

VERSION = 1
"""The version of the format; negative in a message whose texts are escaped."""

Fields = list[Any]
"""An outcome as received: the row's fields, and those of `Outcome` unless all have their defaults."""

ROW_SIZE = len(Record.__struct_fields__)
ERROR = Record.__struct_fields__.index("error")
REDIRECT = Outcome.__struct_fields__.index("pending_redirect") - 1
"""Index of the redirect among the fields after the row."""
KINDS: dict[str | None, str] = {kind.value: kind for kind in FailureKind}
DEFAULTS = tuple(field.default for field in msgspec.structs.fields(Outcome)[1:])
"""The fields after the row in most outcomes."""


class WireError(ValueError):
    """Bytes that are not a message of this version."""


_encode = msgspec.msgpack.Encoder().encode
_decode_requests = msgspec.msgpack.Decoder(tuple[int, list[FetchRequest]]).decode
_decode_escaped = msgspec.msgpack.Decoder(tuple[int, list[Fields]]).decode
_decode_outcomes = msgspec.msgpack.Decoder(tuple[int, list[Fields], list[int], int]).decode


def encode_requests(numbered: Iterable[tuple[int, FetchRequest]]) -> bytes:
    """Return a message with these requests."""
    items = [(number, *astuple(request)[1:]) for number, request in numbered]
    try:
        return _encode((VERSION, items))
    except UnicodeEncodeError:  # a lone surrogate: a byte of the list that is not UTF-8
        return _encode((-VERSION, convert_texts(msgspec.to_builtins(items, builtin_types=(bytes,)), escape)))


def decode_requests(message: bytes) -> list[FetchRequest]:
    """Return the requests of a message; the `urlnum` of each is its number. Raises `WireError`."""
    try:
        version, requests = _decode_requests(message)
        if version == -VERSION:
            _, fields = _decode_escaped(message)
            requests = msgspec.convert(convert_texts(fields, unescape), list[FetchRequest])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise WireError(f"not a message of version {VERSION}: {error}") from error
    check_version(version)
    return requests


def encode_outcomes(outcomes: Iterable[Outcome], returned: Sequence[int] = (), stuck: int = 0) -> bytes:
    """Return a message with these outcomes, the numbers of requests that were not started, and the number of
    parsers that did not return in time."""
    items: Any = [outcome_fields(outcome) for outcome in outcomes]
    try:
        return _encode((VERSION, items, returned, stuck))
    except UnicodeEncodeError:
        items = convert_texts(msgspec.to_builtins(items, builtin_types=(bytes,)), escape)
        return _encode((-VERSION, items, returned, stuck))


def outcome_fields(outcome: Outcome) -> tuple[Any, ...]:
    """Return the fields of an outcome that are sent."""
    row = astuple(outcome.record)
    rest = astuple(outcome)[1:]
    return row if rest == DEFAULTS else (*row, *rest)


def decode_outcomes(message: bytes) -> tuple[list[Fields], list[int], int]:
    """Return the outcomes' fields, for `outcome_of()`, the numbers of the requests that were not started, and
    the number of parsers that did not return in time. Raises `WireError`."""
    try:
        version, items, returned, stuck = _decode_outcomes(message)
        if version == -VERSION:
            items = convert_texts(items, unescape)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise WireError(f"not a message of version {VERSION}: {error}") from error
    check_version(version)
    return items, returned, stuck


def outcome_of(fields: Fields, urlnum: int) -> Outcome:
    """Return the outcome with these fields, of the request that has that number in its run. Raises
    `WireError`."""
    try:
        fields[0] = urlnum
        if (error := fields[ERROR]) is not None:
            fields[ERROR] = KINDS.get(error, error)
        if len(fields) == ROW_SIZE:
            return Outcome(Record(*fields))
        rest = fields[ROW_SIZE:]
        if rest[REDIRECT] is not None:
            rest[REDIRECT] = renumbered(msgspec.convert(rest[REDIRECT], FetchRequest), urlnum)
        return Outcome(Record(*fields[:ROW_SIZE]), *rest)
    except (IndexError, TypeError, msgspec.ValidationError) as error:
        raise WireError(f"not the fields of an outcome: {error}") from error


def renumbered(request: FetchRequest, urlnum: int) -> FetchRequest:
    """Return the request with its number in the run, which its first hop gets as well."""
    first = None if request.first is None else replace(request.first, urlnum=urlnum)
    return replace(request, urlnum=urlnum, first=first)


def check_version(version: int) -> None:
    """Raise `WireError` for a message of another version."""
    if abs(version) != VERSION:
        raise WireError(f"a message of version {abs(version)}, and this is version {VERSION}")


def convert_texts(value: Any, convert: Callable[[str], str]) -> Any:
    """Return the value with every text in it converted."""
    if isinstance(value, str):
        return convert(value)
    if isinstance(value, list | tuple):
        return [convert_texts(each, convert) for each in value]
    if isinstance(value, dict):
        return {convert(key): convert_texts(each, convert) for key, each in value.items()}
    return value


def escape(text: str) -> str:
    """Return a text without lone surrogates, which UTF-8 can't encode."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def unescape(text: str) -> str:
    """Return the text that was escaped."""
    return text.encode("latin-1").decode("utf-8", "surrogatepass")
