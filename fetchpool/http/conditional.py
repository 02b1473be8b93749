"""Conditional requests and the validators `ETag` and `Last-Modified` (RFC 9110 section 8.8).

In: a response's headers, or the earlier row of its URL. Out: the row's `etag` and `last_modified`; the
headers of a conditional request; the fields of a row for a 304, or why the 304 is invalid. Pure.
"""

from __future__ import annotations

import re
from typing import Any

from fetchpool.model.failures import FailureKind
from fetchpool.model.request import CachedVersion
from fetchpool.transports import header_index
from fetchpool.transports.base import Failure, Headers
from fetchpool.transports.header_index import REPEATED

LONGEST = 500
"""Maximum length of a validator in characters; a longer one can't be sent back."""
ETAG, LAST_MODIFIED, NOT_MODIFIED = "etag", "last_modified", "not_modified"
IF_NONE_MATCH, IF_MODIFIED_SINCE = "if-none-match", "if-modified-since"
CONDITIONS = frozenset((IF_NONE_MATCH, IF_MODIFIED_SINCE))
_CODED = re.compile(r"-{1,2}(?:gzip|deflate|br|zstd)(?=\"?$)")
"""Suffixes that servers sometimes add to the entity tag of a compressed page."""


def validators_from(headers: Headers) -> dict[str, Any]:
    """Return the row's validators."""
    found: dict[str, Any] = {}
    add_validators(found, headers)
    return found


def add_validators(found: dict[str, Any], headers: Headers) -> None:
    """Add the row's validators, the first of each kind that can be sent back unchanged, to its fields."""
    index = headers.index
    if REPEATED in index:
        for name, field in ((ETAG, header_index.ETAG), (LAST_MODIFIED, header_index.LAST_MODIFIED)):
            usable = [text for text in headers.get_all(field) if is_usable(text)]
            if usable:
                found[name] = usable[0]
        return
    line = index.get(header_index.ETAG)
    if line is not None:
        text = line[5:].decode("latin-1").strip()
        if text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST:  # `is_usable()`
            found[ETAG] = text
    line = index.get(header_index.LAST_MODIFIED)
    if line is not None:
        text = line[14:].decode("latin-1").strip()
        if text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST:
            found[LAST_MODIFIED] = text


def is_usable(value: str) -> bool:
    """Whether a validator can be sent back unchanged."""
    return value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST


def add_conditions(
    headers: tuple[tuple[str, str], ...], previous: CachedVersion
) -> tuple[tuple[str, str], ...]:
    """Return the request's headers with the conditions. Conditions that the user set take precedence."""
    if any(name.lower() in CONDITIONS for name, _ in headers):
        return headers
    conditions = [("If-None-Match", previous.etag), ("If-Modified-Since", previous.last_modified)]
    return (*headers, *((name, value) for name, value in conditions if value))


def conditions(sent: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the conditions of a request, by their lower-case names."""
    return {name.lower(): value for name, value in sent if name.lower() in CONDITIONS}


def check_304(sent: tuple[tuple[str, str], ...], headers: Headers) -> Failure | None:
    """Return why a 304 is not a valid response to the request; None if it is (RFC 9110 section 15.4.5)."""
    asked = conditions(sent)
    if not asked:
        return Failure(
            FailureKind.PROTOCOL, "the server answered 304 (not modified) to an unconditional request"
        )
    found = validators_from(headers)
    if not _may_match(asked, found.get(ETAG, ""), found.get(LAST_MODIFIED, "")):
        return Failure(
            FailureKind.PROTOCOL,
            "the server answered 304 (not modified) for another version than requested",
        )
    return None


def _may_match(asked: dict[str, str], etag: str, last_modified: str) -> bool:
    """Whether a version may match the conditions of the request."""
    if IF_NONE_MATCH in asked:  # with an entity tag, dates don't count (RFC 9110 section 13.1.3)
        wanted = asked[IF_NONE_MATCH].strip()
        return (
            not etag
            or wanted == "*"
            or _weakly(etag) in {_weakly(each) for each in (wanted, *wanted.split(","))}
        )
    if not last_modified or last_modified == asked[IF_MODIFIED_SINCE]:
        return True
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(last_modified) <= parsedate_to_datetime(asked[IF_MODIFIED_SINCE])
    except (ValueError, TypeError, OverflowError, IndexError):
        return True  # it can't be checked


def _weakly(etag: str) -> str:
    """Return an entity tag without the parts that may differ between tags of the same page (RFC 9110 section
    8.8.3.2)."""
    return _CODED.sub("", etag.strip().removeprefix("W/"))


def refers_to(previous: CachedVersion, sent: tuple[tuple[str, str], ...]) -> bool:
    """Whether the request's condition refers to that version, and was not set by the user."""
    return conditions(sent) == conditions(add_conditions((), previous))


def not_modified_fields(previous: CachedVersion, found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row for an unchanged page. `found`: the validators of the 304."""
    fields: dict[str, Any] = {
        "sha256": previous.sha256,
        "filename_effective": previous.filename_effective,
        ETAG: previous.etag,
        LAST_MODIFIED: previous.last_modified,
    }
    return {NOT_MODIFIED: True, **{name: value for name, value in fields.items() if value}, **found}
