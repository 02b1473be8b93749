"""Whether and when an attempt is made again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.scheduler.retry import MAX_BACKOFF, RetryPolicy, parse_retry_after
from tests.factories import with_fields

REQUEST = urls.request(0, "http://h/")
FAILED = refusal(REQUEST, FailureKind.RESET, timestamp="2026-01-01T00:00:00.000Z")
POLICY = RetryPolicy(retry=3, retry_delay=1.0, jitter=lambda: 1.0)


def http(status: int, retry_after: str | None = None) -> Outcome:
    return with_fields(FAILED, error=f"http_{status}", response_code=status, retry_after=retry_after)


def test_the_backoff_doubles_up_to_its_ceiling() -> None:
    policy = replace(POLICY, retry=10)
    delays = [policy.delay(replace(REQUEST, num_retries=n), FAILED, 0.0) for n in range(8)]
    assert delays == [1, 2, 4, 8, 16, 32, MAX_BACKOFF, MAX_BACKOFF]
    patient = replace(POLICY, retry=5000)
    assert patient.delay(replace(REQUEST, num_retries=4000), FAILED, 0.0) == MAX_BACKOFF


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 2))
def test_the_jitter_is_full(jitter: float, retries: int) -> None:
    policy = replace(POLICY, jitter=lambda: jitter)
    assert policy.delay(replace(REQUEST, num_retries=retries), FAILED, 0.0) == jitter * 2**retries


def test_no_attempt_is_made_past_the_number_of_retries() -> None:
    assert POLICY.delay(replace(REQUEST, num_retries=3), FAILED, 0.0) is None
    assert replace(POLICY, retry=0).delay(REQUEST, FAILED, 0.0) is None


def test_no_attempt_starts_past_retry_max_time() -> None:
    policy = replace(POLICY, retry_max_time=5.0)
    assert policy.delay(REQUEST, FAILED, 3.9) == 1.0
    assert policy.delay(REQUEST, FAILED, 4.1) is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522, 524])
def test_failures_that_curl_calls_transient_are_retried(status: int) -> None:
    assert POLICY.delay(REQUEST, http(status), 0.0) == 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501, 505])
def test_permanent_failures_are_final(status: int) -> None:
    assert POLICY.delay(REQUEST, http(status), 0.0) is None


def test_a_success_is_final() -> None:
    assert POLICY.delay(REQUEST, with_fields(FAILED, error=None, response_code=200), 0.0) is None


@pytest.mark.parametrize(
    "kind", ["invalid_url", "dns", "tls", "timeout_total", "too_large", "decode", "too_many_redirects"]
)
def test_failures_that_would_repeat_are_final(kind: str) -> None:
    assert POLICY.delay(REQUEST, with_fields(FAILED, error=FailureKind(kind)), 0.0) is None


def test_retry_after_is_waited_for_up_to_the_cap() -> None:
    assert POLICY.delay(REQUEST, http(503, "7"), 0.0) == 7.0
    assert POLICY.delay(REQUEST, http(503, "99999999999"), 0.0) == POLICY.retry_after_max
    assert POLICY.delay(REQUEST, http(503, "soon"), 0.0) == 1.0


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 5 ", 5.0),
        ("-3", 0.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("--1", 0.0),
        ("Thu, 99 Jan 2026 00:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text(max_size=100))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
