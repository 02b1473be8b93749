"""`robots.txt` as it is found: what it says to us, and what it may cost."""

from __future__ import annotations

import tracemalloc
from time import process_time

import pytest
from msgspec.structs import replace

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.robots import MAX_BYTES, MAX_PARSED_PARTS, UNREADABLE_TTL, RobotsCache
from fetchpool.scheduler.robots_txt import MOST_PATTERNS, RobotsTxt
from tests.factories import with_fields

ALL = "User-agent: *\nDisallow: /no\n"


def allows(text: str | bytes, path: str, agent: str = "fetchpool") -> bool:
    content = text.encode() if isinstance(text, str) else text
    return RobotsTxt(content, agent).allows(path)


@pytest.mark.parametrize(
    "text",
    [
        ALL.encode(),
        ALL.replace("\n", "\r").encode(),
        ALL.replace("\n", "\r\n\r\n").encode(),
        ALL.encode("utf-8-sig"),
        b"\xef\xbb\xbf" + ALL.encode("utf-8-sig"),
        b"Sitemap: /s\n" + ALL.encode("utf-8-sig"),
        ALL.encode("utf-16"),
        b"\xfe\xff" + ALL.encode("utf-16-be"),
        b"\xc2\xa0 User-agent :\t* # all\n \x0bdisallow:/no#1",
        b"USER-AGENT:*\nDISALLOW:/no",
        b"User agent *\nDisallow /no",
        b"useragent: *\nDisalow: /no",
        b"User-agent: * all of you\nDisallow: no",
        b"User-agent: a\nUser-agent: *\nDisallow: /no\nUser-agent: b\nDisallow: /",
        b"User-agent: *\n\n\nSitemap: x\nUser-agent: a\nDisallow: /no",
        b"User-agent: *\nDisallow:\nUser-agent: a\nDisallow: /\nUser-agent: *\nDisallow: /no",
        b"User-agent: *\nDisallow: /\nUser-agent: FetchPool/2.0 (x)\nDisallow: /no",
        b"User-agent: fetchpool\nAllow: /\nUser-agent: *\nDisallow: /\nUser-agent: fetchpool\nDisallow: /no",
        b"\x00\xff\xfe:\n:::\nDisallow: /\n" + ALL.encode(),
        b"User-agent: *\nDisallow: /n%6F\n",
        b"User-agent: *\nDisallow: /*o\nAllow: /y",
        b"User-agent: *\nDisallow: /n**o$\nDisallow: /no\n",
    ],
)
def test_the_intended_rules_are_obeyed(text: bytes) -> None:
    assert not allows(text, "/no")
    assert allows(text, "/yes")
    assert allows(text, "/robots.txt")


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        # RFC 9309 section 5.2, and Google's examples of precedence
        ("Allow: /p\nDisallow: /", "/page", True),
        ("Allow: /directory\nDisallow: /directory", "/directory/page", True),
        ("Allow: /page\nDisallow: /*.htm", "/page.htm", False),
        ("Allow: /page\nDisallow: /*.ph", "/page.php5", True),
        ("Allow: /$\nDisallow: /", "/", True),
        ("Allow: /$\nDisallow: /", "/page.htm", False),
        ("Disallow: *.gif$", "/a/b.gif", False),
        ("Disallow: *.gif$", "/a/b.gif?x", True),
        ("Disallow: /*/b$", "/a/b/b", False),
        ("Disallow: /fish*.php", "/fishheads/catfish.php?parameters", False),
        ("Disallow: /fish*.php", "/Fish.PHP", True),
        ("Disallow: /a*a$", "/a", True),
        ("Disallow: /a*a$", "/aa", False),
        ("Disallow: /*$", "/what?ever", False),
        ("Disallow: /*", "/what?ever", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        ("Disallow: /a%2fb", "/a%2Fb", False),
        ("Disallow: /\u00e9", "/%C3%A9t%C3%A9", False),
        ("Disallow: /%c3%a9", "/%C3%A9", False),
        ("Disallow: /a-%2A.html", "/a-*.html", False),
        ("Disallow: /a-%2A.html", "/a-b.html", True),
        ("Disallow: /a$b", "/a$b", False),
        ("Disallow: /{x}", "/%7Bx%7D", False),
        ("Disallow: /a b", "/a%20b", False),
        ("Disallow: /?q=", "/?q=1", False),
        ("Disallow: /100%", "/100%", False),
    ],
)
def test_the_longest_rule_that_matches_counts(rules: str, path: str, allowed: bool) -> None:
    assert allows(f"User-agent: *\n{rules}\n", path) is allowed


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("-5", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("1e9", 0.0),
        ("9" * 5000, 0.0),
    ],
)
def test_a_crawl_delay_is_a_number_of_seconds(delay: str, seconds: float) -> None:
    assert RobotsTxt(f"User-agent: *\nCrawl-delay: {delay}".encode(), "fetchpool").crawl_delay == seconds


AGENTS = b"".join(b"user-agent:%x\n" % number for number in range(15_000))
HOSTILE = {
    "agents and rules": AGENTS + b"user-agent:*\n" + b"allow:/a\n" * 25_000,
    "groups": b"user-agent:*\nallow:/a\n" * 20_000,
    "rules": b"user-agent:*\n" + b"".join(b"allow:/%x\n" % number for number in range(40_000)),
    "lengths": b"user-agent:*\n" + b"".join(b"allow:/%s\n" % (b"a" * number) for number in range(1000)),
    "stars": b"user-agent:*\ndisallow:/" + b"*a" * 250_000 + b"b$\n",
    "patterns": b"user-agent:*\n" + b"".join(b"disallow:/*aaaa%x$\n" % number for number in range(23_000)),
    "needles": b"user-agent:*\n" + b"".join(b"disallow:/*%sb%x\n" % (b"a" * 90, n) for n in range(4800)),
    "one line": b"user-agent:*\ndisallow:/" + b"%4" * 250_000,
    "blanks": b"user-agent" + b" " * 500_000 + b"*",
    "colons": b":" * 500_000,
    "returns": b"\r" * 500_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_text_costs_more_than_its_length(kind: str) -> None:
    """Half a megabyte is read in a second or two of a slow machine and 60 MB, and a path of 60 kB judged in
    less than that; with agents times rules, or a search that goes back, it was minutes and gigabytes."""
    text = HOSTILE[kind]
    assert len(text) <= MAX_BYTES
    began = process_time()
    rules = RobotsTxt(text, "fetchpool")
    rules.allows("/" + "a" * 60_000)
    rules.allows("/" + "a" * 20_000)
    assert process_time() - began < 4
    tracemalloc.start()
    RobotsTxt(text, "fetchpool")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 << 20


def test_patterns_beyond_the_limit_are_cut_and_forbid_more() -> None:
    many = "".join(f"Disallow: /a*{number}$\n" for number in range(MOST_PATTERNS))
    text = f"User-agent: *\n{many}Disallow: /b*c\nAllow: /b*d\nDisallow: /e"
    assert allows(text, "/a")
    assert not allows(text, "/bx")
    assert not allows(text, "/b/d")
    assert not allows(text, "/e")
    assert allows(text, "/f")


def robots_request(text: bytes = b"", **changes: object) -> tuple[RobotsCache, FetchRequest, Outcome]:
    request = urls.request(0, "http://h.example/page")
    outcome = with_fields(refusal(request, FailureKind.RESET), error=None, response_code=200, content=text)
    return RobotsCache("fetchpool/1.0"), request, with_fields(outcome, **changes)


def test_a_rule_that_was_cut_where_the_reading_ended_is_none() -> None:
    robots, request, outcome = robots_request(
        (ALL + "#" * MAX_BYTES).encode()[: MAX_BYTES - 12] + b"\nDisallow: /"
    )
    assert len(outcome.content) == MAX_BYTES
    robots.add(request, outcome, 0.0)
    rules = robots.rules_for(request, 0.0)
    assert rules is not None
    assert robots.allows(rules, request)
    assert not robots.allows(rules, urls.request(1, "http://h.example/no"))


def test_rules_are_held_parsed_up_to_so_many_pieces() -> None:
    text = b"user-agent:*\n" + b"".join(b"disallow:/%x\n" % number for number in range(MAX_PARSED_PARTS // 5))
    robots, _, outcome = robots_request(text)
    requests = [urls.request(number, f"http://h{number}.example/0") for number in range(7)]
    for request in requests:
        robots.add(request, outcome, 0.0)
    for request in requests * 2:
        rules = robots.rules_for(request, 0.0)
        assert rules is not None
        assert not robots.allows(rules, request)
        assert robots._parsed_parts <= MAX_PARSED_PARTS


def test_a_host_that_may_not_be_asked_by_one_may_be_asked_by_another() -> None:
    """`forbidden_address` is what a request is refused that a public page sent; the list's may go there."""
    robots, request, outcome = robots_request(
        error="forbidden_address", response_code=None, errormsg="10.0.0.1 is private"
    )
    sent_there = replace(request, from_public=True)
    rules = robots.add(robots.request_for(sent_there, -1), outcome, 0.0)
    assert (rules.forbids_all, rules.kind) == (True, FailureKind.FORBIDDEN_ADDRESS)
    assert robots.rules_for(sent_there, UNREADABLE_TTL - 1) is not None
    assert robots.rules_for(request, 1.0) is None
    assert robots.applies_to(robots.request_for(sent_there, -1), sent_there)
    assert not robots.applies_to(robots.request_for(sent_there, -1), request)


def test_where_nothing_may_be_reached_that_is_not_public_it_is_asked_once() -> None:
    _, request, outcome = robots_request(error="forbidden_address", response_code=None)
    robots = RobotsCache("fetchpool/1.0", public_only=True)
    robots.add(robots.request_for(request, -1), outcome, 0.0)
    assert robots.rules_for(replace(request, from_public=True), 1.0) is not None
    assert robots.rules_for(request, 1.0) is not None


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (FailureKind.REFUSED, "refused", "connection refused"),
        (FailureKind.TLS, "tls", "TLS handshake failed"),
        (FailureKind.RESET, "robots", "cannot read robots.txt: connection reset by server"),
    ],
)
def test_urls_of_a_host_without_a_connection_have_its_error(
    kind: FailureKind, error: str, message: str
) -> None:
    cache = RobotsCache("fetchpool")
    request = urls.request(0, "http://127.0.0.1/page")
    robots = cache.request_for(request, -1)
    rules = cache.add(robots, refusal(robots, kind), now=0.0)
    assert not cache.allows(rules, request)
    assert (rules.kind, rules.refusal) == (error, message)
