"""Which URLs belong to a crawl: scope, patterns, ignored parameters, trap guards."""

from __future__ import annotations

import msgspec
import pytest

from fetchpool.crawl.policy import LinkPolicy
from fetchpool.crawl.scope import Scope
from fetchpool.crawl.srcset import srcset_urls
from fetchpool.crawl.traps import body_hash, trap
from fetchpool.model.crawl_rules import CrawlRules, Reason, ScopeKind


@pytest.mark.parametrize(
    ("kind", "start", "inside", "outside"),
    [
        (
            "host",
            "https://h/d/",
            "https://h/ http://h/x http://h:443/",
            "https://h:8443/ https://a.h/ https://h2/",
        ),
        ("host", "http://h:8080/", "http://h:8080/x https://h:8080/", "http://h/ http://h:80801/"),
        ("host", "http://[::1]/", "https://[::1]/x", "http://[::1]:81/ http://[::2]/"),
        (
            "prefix",
            "https://h/docs/",
            "https://h/docs/ http://h/docs/a/b?c",
            "https://h/docs https://h/docs2/ https://h/ https://x/docs/",
        ),
        ("prefix", "https://h/docs/a.html?q=/x/y", "https://h/docs/b", "https://h/docs2/ https://h/x/"),
        ("prefix", "https://h/docs", "https://h/docs2/ https://h/", "https://h:1/"),
        ("origin", "https://h/d/", "https://h/", "http://h/ https://h:444/"),
        (
            "domain",
            "https://www.e.co.uk/",
            "https://e.co.uk/ http://a.b.e.co.uk:81/",
            "https://o.co.uk/ https://co.uk/",
        ),
        ("domain", "http://127.0.0.1/", "http://127.0.0.1:81/", "http://128.0.0.1/ http://[::1]/"),
        ("domain", "http://localhost/", "http://localhost:81/", "http://a.localhost2/"),
        ("any", "http://h/", "https://x/", ""),
    ],
)
def test_the_scope_is_measured_from_the_start(kind: str, start: str, inside: str, outside: str) -> None:
    scope = Scope(ScopeKind(kind), [start])
    assert [href for href in inside.split() if href not in scope] == []
    assert [href for href in outside.split() if href in scope] == []


@pytest.mark.parametrize("kind", list(ScopeKind))
def test_a_start_is_added_once(kind: ScopeKind) -> None:
    scope = Scope(kind, ["https://h/a/"])
    assert not scope.add("https://h/a/b/c")
    if kind is not ScopeKind.ANY:
        assert scope.add("https://other/")
    assert {"https://other/x", "https://h/a/b"} <= {
        href for href in ("https://other/x", "https://h/a/b") if href in scope
    }


def test_exclude_wins_and_requisites_need_no_include() -> None:
    policy = LinkPolicy(CrawlRules(starts=("https://h/",), include=("/docs/", r"\.pdf$"), exclude=("/old",)))
    assert policy.reason("https://h/docs/a") is None
    assert policy.reason("https://h/a.pdf") is None
    assert policy.reason("https://h/docs/old") is Reason.EXCLUDE
    assert policy.reason("https://h/a") is Reason.INCLUDE
    assert policy.reason("https://h/a", is_requisite=True) is None
    assert policy.reason("https://x/docs/old") is Reason.SCOPE
    assert policy.reason("https://x/a", is_requisite=True) is None
    assert policy.reason("https://x/old", is_requisite=True) is Reason.EXCLUDE


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://h/?a=1&sid=2&b=3", "https://h/?a=1&b=3"),
        ("https://h/?sid=2", "https://h/"),
        ("https://h/?sid", "https://h/"),
        ("https://h/?s%69d=1&x", "https://h/?x"),
        ("https://h/?utm_source=a&utm_medium=b&utm=c", "https://h/?utm=c"),
        ("https://h/?sidd=1&SID=2&&", "https://h/?sidd=1&SID=2&&"),
        ("https://h/sid=1", "https://h/sid=1"),
    ],
)
def test_ignored_parameters_are_removed(href: str, expected: str) -> None:
    policy = LinkPolicy(CrawlRules(ignore_params=("sid", "utm_*")))
    assert policy.without_ignored(href) == expected
    assert LinkPolicy(CrawlRules()).without_ignored(href) == href


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a/b/a/b/c", None),
        ("a/b/a/b/a/b/c", Reason.TRAP_REPEATS),
        ("a/b/a/b/a/b", None),  # the last is a file
        ("x/infra/www/infra/www/infra/www/", Reason.TRAP_REPEATS),
        ("a/a/b/a/a/b", None),
        ("////", Reason.TRAP_REPEATS),
        ("2026/11/11/post", None),
        ("/".join("abcdefghijklmnopqrst"), None),
        ("/".join("abcdefghijklmnopqrstu"), Reason.TRAP_SEGMENTS),
        ("x" * 2_073, None),
        ("x" * 2_076, Reason.TRAP_LENGTH),
        ("?q=X?q=X", None),
        ("?q=X?q=X?q=X", Reason.TRAP_REPEATS),
        ("?q=X%3Fq=X%3fq=X", Reason.TRAP_REPEATS),
        ("?a=1&b=2&a=1&b=2&a=1&b=2", Reason.TRAP_REPEATS),
        ("?a=1&b=1&c=1", None),
        ("?q=%252520", Reason.TRAP_ESCAPES),
        ("?a&amp;amp;b", Reason.TRAP_ESCAPES),
        ("?a&amp;b%2520", None),
    ],
)
def test_traps_are_recognized_by_their_form(path: str, reason: Reason | None) -> None:
    assert trap(f"https://h/{path}") == reason
    assert (
        LinkPolicy(CrawlRules(starts=("https://h/",), trap_guard=False)).reason(f"https://h/{path}") is None
    )


def test_bodies_have_the_same_hash_if_they_are_equal() -> None:
    assert body_hash(b"a") == body_hash(b"a") != body_hash(b"b")
    assert len(body_hash(b"")) == 8


def test_rules_survive_their_encoding() -> None:
    rules = CrawlRules(scope=ScopeKind.PREFIX, starts=("https://h/",), include=("a",), want_links=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(rules), type=CrawlRules) == rules


# From the web-platform-tests: html/semantics/embedded-content/the-img-element/srcset.
@pytest.mark.parametrize(
    ("srcset", "expected"),
    [
        ("", ""),
        (",", ""),
        (",,,", ""),
        ("  data:,a 1x  ", "data:,a"),
        ("\t\tdata:,a\t\t1x\t\t", "data:,a"),
        ("\n\ndata:,a\n\n1x\n\n", "data:,a"),
        ("\x0b\x0bdata:,a\x0b\x0b1x\x0b\x0b", "\x0b\x0bdata:,a\x0b\x0b1x\x0b\x0b"),
        ("\x0c\x0cdata:,a\x0c\x0c1x\x0c\x0c", "data:,a"),
        ("\r\rdata:,a\r\r1x\r\r", "data:,a"),
        ("\xa0data:,a", "\xa0data:,a"),
        ("data:,a", "data:,a"),
        ("data:,a ", "data:,a"),
        ("data:,a ,", "data:,a"),
        ("data:,a,", "data:,a"),
        ("data:,a, ", "data:,a"),
        ("data:,a,b", "data:,a,b"),
        ("data:,a ,b", "data:,a b"),
        ("data:,a  1x , data:,b 2x", "data:,a data:,b"),
        (",data:,a", "data:,a"),
        (" , , data:,a 1x", "data:,a"),
        ("data:,a,(", "data:,a,("),
        ("data:,a,(,", "data:,a,("),
        ("data:,a (,data:,b 1x), data:,c", "data:,c"),
        ("data:,a 1x (, data:,c", ""),
        ("data:,a (", ""),
        ("data:,a ( ) ,data:,b", "data:,b"),
        ("data:,a, data:,b ( , data:,c ), data:,d", "data:,a data:,d"),
        ("data:,a 1w", "data:,a"),
        ("data:,a 1w 1w", ""),
        ("data:,a 1w 1x", ""),
        ("data:,a 1x 1w", ""),
        ("data:,a 1w 1h", "data:,a"),
        ("data:,a 1h 1w", "data:,a"),
        ("data:,a 1h", ""),
        ("data:,a 1h 1x", ""),
        ("data:,a 1x 1h", ""),
        ("data:,a 1h 1h", ""),
        ("data:,a 0w", ""),
        ("data:,a -1w", ""),
        ("data:,a +1w", ""),
        ("data:,a 1.0w", ""),
        ("data:,a 1e3w", ""),
        ("data:,a 01w", "data:,a"),
        ("data:,a 0x", "data:,a"),
        ("data:,a -0x", "data:,a"),
        ("data:,a -1x", ""),
        ("data:,a +1x", ""),
        ("data:,a 1e3x", "data:,a"),
        ("data:,a .5x", "data:,a"),
        ("data:,a 1.x", ""),
        ("data:,a 1.5e-2x", "data:,a"),
        ("data:,a -.0e1x", "data:,a"),
        ("data:,a xx", ""),
        ("data:,a NaNx", ""),
        ("data:,a Infinityx", ""),
        ("data:,a 0x1x", ""),
        ("data:,a x", ""),
        ("data:,a w", ""),
        ("data:,a 1X", ""),
        ("data:,a 1q", ""),
        ("data:,a 1w 0h", ""),
        ("data:,a 1w -1h", ""),
        ("data:,a 1w 1.0h", ""),
        ("data:,a 1w 1H", ""),
        ("data:,a 1w +0h", ""),
        ("data:,a foo(bar, 1x", ""),
        ("data:,a foo(bar) 1x, data:,b", "data:,b"),
        ("a 1x,b 2x,c", "a b c"),
        ("a,,b", "a,,b"),
        ("a,, b", "a b"),
    ],
)
def test_srcset_is_parsed_as_in_the_web_platform_tests(srcset: str, expected: str) -> None:
    assert srcset_urls(srcset) == (expected.split(" ") if expected else [])
