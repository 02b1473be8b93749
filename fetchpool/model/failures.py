"""The table of failures: each kind with its exit code, its message, and its treatment by retries, host
limits, the proxy breaker, the archive, crawls and reports; and the group names that users may write.

In: nothing, or words such as `timeout`. Out: `error` values as rows have them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from msgspec import Struct

from fetchpool.model.closest import closest


class Traits(Struct, frozen=True, kw_only=True):
    """A row of the table of failures: all that fetchpool knows about one kind."""

    error: str
    """The row's `error`."""
    exitcode: int
    """curl's number (libcurl-errors(3)), from the kind alone, so that both transports give the same."""
    message: str
    """The row's `errormsg`, unless the code that reports the failure has a more precise one."""
    timeout: str = ""
    """The second part of a timeout's message, with its seconds."""
    is_transient: bool = False
    """Whether a retry may help."""
    blames_host: bool = True
    """Whether it indicates that the host is down, unless there was a response."""
    is_overload: bool = False
    """Whether it may result from too many requests at once (`-w auto`)."""
    breaks_connection: bool = False
    """Whether a server with a connection limit ends surplus connections like this."""
    blames_proxy: bool = True
    """Whether it is reported as `proxy` while connecting to the proxy."""
    is_dns: bool = False
    warc_truncated: str = "unspecified"
    """Why a body is truncated, in the words of WARC 1.1 section 5.13."""
    group: str = ""
    """The word that users may write for several kinds (`--retry-failed`)."""
    report_group: str = "response"
    """The group of the kind in reports."""
    is_before_request: bool = False
    """Whether it occurs before the server has seen the request's method."""
    link_verdict: str = "broken"
    """What it says about links to the URL: `broken`; `fine` if there is such a page; `unsure` if the link may
    work in a browser."""


class FailureKind(StrEnum):
    """Why a URL has no complete response. The list is closed; `error` in a row is null, one of these,
    or `http_NNN` for a final status that is a failure: by default, 400 or more. Each kind has the attributes
    of its `Traits`."""

    _value_: str
    exitcode: int
    message: str
    is_transient: bool
    blames_host: bool
    is_overload: bool
    breaks_connection: bool
    blames_proxy: bool
    is_dns: bool
    warc_truncated: str
    group: str
    report_group: str
    is_before_request: bool
    link_verdict: str
    timeout: str

    def __new__(cls, traits: Traits) -> Self:
        kind = str.__new__(cls, traits.error)
        kind._value_ = traits.error
        for name in Traits.__struct_fields__:
            setattr(kind, name, getattr(traits, name))
        return kind

    def after(self, seconds: float) -> str:
        """Return the message of a timeout, with its limit."""
        return f"{self.message}: {self.timeout.format(seconds)}"

    INVALID_URL = Traits(
        error="invalid_url",
        exitcode=3,
        message="not a valid http or https URL",
        blames_host=False,
        report_group="not fetched",
        is_before_request=True,
    )
    UNSUPPORTED_SCHEME = Traits(
        error="unsupported_scheme",
        exitcode=1,
        message="only http and https are fetched",
        blames_host=False,
        report_group="not fetched",
        link_verdict="fine",
    )
    FORBIDDEN_ADDRESS = Traits(
        error="forbidden_address",
        exitcode=7,
        message="not a public address",
        blames_host=False,
        report_group="not fetched",
        is_before_request=True,
        link_verdict="unsure",
    )
    ROBOTS = Traits(
        error="robots",
        exitcode=9,
        message="disallowed by robots.txt",
        blames_host=False,
        report_group="not fetched",
        is_before_request=True,
        link_verdict="unsure",
    )
    HOST_DOWN = Traits(
        error="host_down",
        exitcode=7,
        message="skipped: host is not responding",
        blames_host=False,
        report_group="not fetched",
        is_before_request=True,
        link_verdict="unsure",
    )
    # Not transient: the name server has answered.
    DNS = Traits(
        error="dns",
        exitcode=6,
        message="host name does not exist",
        is_dns=True,
        report_group="DNS",
        is_before_request=True,
    )
    TIMEOUT_DNS = Traits(
        error="timeout_dns",
        exitcode=28,
        message="DNS timeout",
        timeout="no address after {:.3g} s",
        is_transient=True,
        is_dns=True,
        group="timeout",
        report_group="DNS",
        is_before_request=True,
    )
    REFUSED = Traits(
        error="refused",
        exitcode=7,
        message="connection refused",
        is_transient=True,
        is_overload=True,
        breaks_connection=True,
        report_group="connection",
        is_before_request=True,
    )
    UNREACHABLE = Traits(
        error="unreachable",
        exitcode=7,
        message="no route to host",
        is_transient=True,
        report_group="connection",
        is_before_request=True,
    )
    TIMEOUT_CONNECT = Traits(
        error="timeout_connect",
        exitcode=28,
        message="connect timeout",
        timeout="no connection after {:.3g} s",
        is_transient=True,
        is_overload=True,
        breaks_connection=True,
        blames_proxy=False,
        group="timeout",
        report_group="timeout",
        is_before_request=True,
    )
    TLS = Traits(
        error="tls",
        exitcode=35,
        message="TLS handshake failed",
        report_group="connection",
        is_before_request=True,
    )
    PROXY = Traits(
        error="proxy",
        exitcode=97,
        message="skipped: proxy is not responding",
        blames_host=False,
        blames_proxy=False,
        report_group="not fetched",
        is_before_request=True,
        link_verdict="unsure",
    )
    RESET = Traits(
        error="reset",
        exitcode=56,
        message="connection reset by server",
        is_transient=True,
        is_overload=True,
        breaks_connection=True,
        warc_truncated="disconnect",
        report_group="connection",
    )
    EMPTY_REPLY = Traits(
        error="empty_reply",
        exitcode=52,
        message="empty reply from server",
        is_transient=True,
        is_overload=True,
        breaks_connection=True,
    )
    TIMEOUT_READ = Traits(
        error="timeout_read",
        exitcode=28,
        message="read timeout",
        timeout="no data for {:.3g} s",
        is_transient=True,
        breaks_connection=True,
        warc_truncated="time",
        group="timeout",
        report_group="timeout",
    )
    # Not transient: the attempt used all the time that the user allows.
    TIMEOUT_TOTAL = Traits(
        error="timeout_total",
        exitcode=28,
        message="total timeout",
        timeout="not complete after {:.3g} s",
        blames_proxy=False,
        warc_truncated="time",
        group="timeout",
        report_group="timeout",
    )
    # Transient, though a compressed stream may end early in a complete body: the two look the same.
    TRUNCATED = Traits(
        error="truncated",
        exitcode=18,
        message="connection closed before the end of the body",
        is_transient=True,
        warc_truncated="disconnect",
    )
    PROTOCOL = Traits(error="protocol", exitcode=8, message="malformed HTTP response")
    DECODE = Traits(error="decode", exitcode=61, message="body cannot be decoded")
    TOO_LARGE = Traits(
        error="too_large",
        exitcode=63,
        message="body too large",
        warc_truncated="length",
        link_verdict="fine",
    )
    TOO_MANY_REDIRECTS = Traits(error="too_many_redirects", exitcode=47, message="too many redirects")
    PARSE = Traits(
        error="parse",
        exitcode=23,
        message="parser failed",
        link_verdict="fine",
    )
    ABORTED = Traits(
        error="aborted",
        exitcode=42,
        message="the run was stopped",
        blames_host=False,
        report_group="other",
        is_before_request=True,
        link_verdict="unsure",
    )
    INTERNAL = Traits(
        error="internal",
        exitcode=2,
        message="internal error",
        blames_host=False,
        blames_proxy=False,
        report_group="other",
        link_verdict="unsure",
    )


EXITCODE_HTTP = 22
"""curl's number for a status that is a failure (`--fail`)."""

OTHER = "http_other"
"""Stands for every status from 600 on, which no standard defines and some servers send: the duplicate filter
has one byte for all errors."""
UNDER_400 = "http_under_400"
"""Stands for every status under 400, which is a failure only with `--accept`."""
STATUSES = tuple(f"http_{status}" for status in range(400, 600))
ERRORS = (*FailureKind, *STATUSES, OTHER, UNDER_400)
COMMON = ("http_404", "http_429", "http_500", "http_503")
"""The statuses that are suggested for a mistyped word."""

GROUPS: dict[str, frozenset[str]] = {
    "all": frozenset(ERRORS),
    "timeout": frozenset(kind for kind in FailureKind if kind.group == "timeout"),
    "http_4xx": frozenset(error for error in STATUSES if error.startswith("http_4")),
    # A status beyond 599 counts as a 5xx (RFC 9110 section 15).
    "http_5xx": frozenset((*(error for error in STATUSES if error.startswith("http_5")), OTHER)),
}
_BEYOND = re.compile(r"http_[6-9][0-9]{2}")
_UNDER_400 = re.compile(r"http_[123][0-9]{2}")


def resumable_error(error: str) -> str:
    """Return the one of `ERRORS` that stands for a row's error."""
    if error in _KNOWN:
        return error
    return UNDER_400 if _UNDER_400.fullmatch(error) else OTHER


_KNOWN = frozenset(map(str, ERRORS))


def errors_named(words: Iterable[str]) -> frozenset[str]:
    """Return the errors that these words stand for. Raises `ValueError` for an unknown word."""
    chosen: set[str] = set()
    for word in words:
        if word in GROUPS:
            chosen |= GROUPS[word]
        elif word in ERRORS:
            chosen.add(word)
        elif _BEYOND.fullmatch(word):
            chosen.add(OTHER)
        elif _UNDER_400.fullmatch(word):
            chosen.add(UNDER_400)
        else:
            raise ValueError(f"unknown error {word!r}; {_hint(word)}")
    return frozenset(chosen)


def _hint(word: str) -> str:
    likely = closest(word.lower(), [*GROUPS, *FailureKind, *COMMON])
    if likely is None and len(word) > 2:  # `404`, `5xx`
        likely = next((known for known in (*GROUPS, *ERRORS) if word.lower() in known), None)
    if likely is not None:
        return f"did you mean {likely}?"
    return f"write {', '.join(GROUPS)}, or an error as rows have it: dns, http_429, host_down"
