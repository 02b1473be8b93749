"""libcurl's error codes: each has a kind, or is known to belong to something else."""

from __future__ import annotations

import errno
import io
import os
import socket

import pycurl
import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import authority
from fetchpool.transports.base import HopRequest
from fetchpool.transports.curl import errors
from fetchpool.transports.curl.errors import (
    KINDS,
    NO_LONGER_USED,
    OTHER_PROTOCOLS,
    failure_of,
    timeout_of,
)
from fetchpool.transports.curl.transport import CurlTransport
from fetchpool.transports.watchdog import Watch
from tests.faults.server import FaultServer

NOT_A_TRANSFERS = ("E_OK", "E_MULTI_", "E_CALL_MULTI_PERFORM", "E_ALREADY_COMPLETE")
"""What pycurl calls the multi interface's own codes, and no failure at all."""


def pycurls_codes() -> dict[str, int]:
    """Every code of a transfer that this pycurl has a name for."""
    return {
        name: getattr(pycurl, name)
        for name in dir(pycurl)
        if name.startswith("E_") and not name.startswith(NOT_A_TRANSFERS)
    }


def test_every_code_that_pycurl_names_has_a_kind_or_is_another_protocols() -> None:
    unknown = {
        name: code
        for name, code in pycurls_codes().items()
        if code not in KINDS and code not in OTHER_PROTOCOLS | NO_LONGER_USED
    }
    assert not unknown


def test_every_number_of_libcurls_is_in_exactly_one_place() -> None:
    places = (set(KINDS), set(OTHER_PROTOCOLS), set(NO_LONGER_USED))
    for code in range(1, errors.LAST + 1):
        assert sum(code in place for place in places) == 1, code


@pytest.mark.parametrize("message", ["Could not\nparse \x1b[31m it", ""])
@pytest.mark.parametrize("code", range(1, errors.LAST + 20))
def test_every_code_becomes_one_clean_line(code: int, message: str) -> None:
    failure = failure_of(code, message, errno.ECONNREFUSED)
    assert failure.kind in FailureKind
    assert failure.message.isprintable()
    assert failure.message


def test_an_unknown_code_is_an_internal_error_and_not_a_crash() -> None:
    assert failure_of(4711, "new in libcurl 9", 0).kind is FailureKind.INTERNAL


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, FailureKind.REFUSED),
        (errno.EHOSTUNREACH, FailureKind.UNREACHABLE),
        (errno.ENETUNREACH, FailureKind.UNREACHABLE),
        (errno.ETIMEDOUT, FailureKind.TIMEOUT_CONNECT),
    ],
)
def test_why_no_connection_was_made_is_the_systems_to_say(number: int, kind: FailureKind) -> None:
    assert failure_of(pycurl.E_COULDNT_CONNECT, "", number).kind is kind


@pytest.mark.parametrize(
    ("missing", "number", "kind"),
    [
        (socket.AF_INET, errno.EMFILE, FailureKind.INTERNAL),
        (socket.AF_INET6, errno.EAFNOSUPPORT, FailureKind.UNREACHABLE),  # a system without IPv6
        (None, 0, FailureKind.INTERNAL),  # for a moment there was none
    ],
)
def test_a_socket_is_opened_to_find_out_why_libcurl_could_not(
    missing: int | None, number: int, kind: FailureKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(family: int) -> io.BytesIO:
        if family == missing:
            raise OSError(number, os.strerror(number))
        return io.BytesIO()  # can be closed

    monkeypatch.setattr(socket, "socket", opened)
    assert failure_of(pycurl.E_COULDNT_CONNECT, "", 0).kind is kind


@pytest.mark.parametrize(
    ("resolved", "total", "kind"),
    [
        (False, 2.0, FailureKind.TIMEOUT_DNS),
        (True, 2.0, FailureKind.TIMEOUT_CONNECT),
        (True, 5.0, FailureKind.TIMEOUT_TOTAL),
        (True, 4.999, FailureKind.TIMEOUT_TOTAL),
    ],
)
def test_the_elapsed_time_shows_which_timeout_it_was(resolved: bool, total: float, kind: FailureKind) -> None:
    assert timeout_of(total=total, resolved=resolved, max_time=5.0, connect_timeout=2.0).kind is kind


@pytest.mark.parametrize("max_time", [0.2, 60.0])
def test_a_hop_that_was_ended_at_its_deadline_reached_the_total_timeout(
    monkeypatch: pytest.MonkeyPatch, max_time: float
) -> None:
    """However late libcurl began to measure."""
    stop = Watch.stop

    def stop_at_deadline(watch: Watch) -> FailureKind:
        stop(watch)
        return FailureKind.TIMEOUT_TOTAL

    monkeypatch.setattr(Watch, "stop", stop_at_deadline)
    options = FetchOptions()
    transport = CurlTransport(options)
    with FaultServer() as server:
        url = server.url("ok")
        body = ResponseBody(options, "GET")
        failure = transport.perform(HopRequest(url, authority(url), "GET", (), 5, 5, max_time, body)).failure
    transport.close()
    assert failure is not None
    assert failure.kind is FailureKind.TIMEOUT_TOTAL
