"""Failures by kind and by host."""

from __future__ import annotations

import pytest

from fetchpool.engine.events import MOST_EXAMPLES, MOST_HOSTS, FailingHost
from fetchpool.engine.failure_counter import HOSTS_KEPT, FailureCounter, host_of
from tests.factories import record


def test_a_kind_has_a_few_examples() -> None:
    failures = FailureCounter()
    failures.count("dns", "http://earlier.example/")
    for number in range(9):
        failures.add("dns", record(number))
    (dns,) = failures.kinds()
    assert (dns.count, len(dns.examples), dns.example) == (10, MOST_EXAMPLES, "http://earlier.example/")


def test_the_hosts_that_fail_most_come_first_with_their_latest_error() -> None:
    failures = FailureCounter()
    for number in range(30):
        for _ in range(number):
            failures.add("reset", record(url=f"http://{number}.example/"))
    failures.add("dns", record(url="http://29.example:81/"))
    failures.add("invalid_url", record(url="no URL"))
    hosts = failures.hosts()
    assert len(hosts) == MOST_HOSTS
    assert hosts[:2] == (FailingHost("29.example", 30, "dns"), FailingHost("28.example", 28, "reset"))


def test_a_host_that_fails_often_is_found_among_very_many() -> None:
    failures = FailureCounter()
    often = record(url="http://often.example/")
    for number in range(5 * HOSTS_KEPT):
        failures.add("dns", record(url=f"http://{number}.example/"))
        if number % 50 == 0:
            failures.add("dns", often)
    assert failures.hosts()[0] == FailingHost("often.example", HOSTS_KEPT // 10, "dns")
    assert len(failures._hosts) <= 2 * HOSTS_KEPT


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example", "a.example"),
        ("https://a.example:8443/x:1@y", "a.example"),
        ("https://***@a.example/", "a.example"),
        ("http://a.example?q=/", "a.example"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:80/", "[::1]"),
        ("", ""),
        ("no url://", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
