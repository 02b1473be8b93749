"""Which URLs go through which proxy, with every transport and executor; the environment's only when asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import fetchpool
from fetchpool.config.configure import configure
from fetchpool.config.proxy_options import hosts, is_direct
from fetchpool.http.proxy_choice import ProxyChoice
from tests.cli.runner import fetchpool as command
from tests.faults.matrix import Way, fetch_urls, in_every_way
from tests.faults.proxy import Proxy
from tests.recording_server import RecordingServer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxies_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@in_every_way
def test_the_environments_proxies_are_used_when_asked_for(
    way: Way, server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [server.url(), server.url(host="localhost"), server.url(host="there.example")]
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        records = fetch_urls(way, urls, proxy="env", dedupe=False)
        assert [record.error for record in records] == [None] * 3
        targets = sorted(head.split(" ")[1] for head in proxy.heads)
        assert targets == sorted(urls[1:])


@in_every_way
def test_some_hosts_are_reached_without_the_proxy(way: Way, server: RecordingServer) -> None:
    urls = [server.url(), server.url(host="there.example")]
    schemes = ("http", "socks5h") if way.transport == "curl" else ("http",)  # requests needs PySocks
    with Proxy() as proxy:
        for scheme in schemes:
            address = f"{scheme}://127.0.0.1:{proxy.port}"
            records = fetch_urls(way, urls, proxy=address, noproxy="127.0.0.0/8")
            assert [record.error for record in records] == [None, None]
        assert [head.split(" ")[1] for head in proxy.heads] == [urls[1]]
        assert [host for host, _ in proxy.destinations] == ["there.example"] * (len(schemes) - 1)


@in_every_way
def test_the_environments_proxies_are_not_used_by_themselves(
    way: Way, server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    assert [record.error for record in fetch_urls(way, [server.url()])] == [None]


def test_a_notice_says_once_that_the_environments_proxies_are_not_used(server: RecordingServer) -> None:
    env = {"http_proxy": "http://127.0.0.1:9"}
    urls = "\n".join([server.url("1"), server.url("2")])
    done = command("-o", "-", stdin=urls, env=env)
    assert done.returncode == 0
    assert done.stderr.count("not used") == 1
    assert "http_proxy is set in the environment and not used; --proxy env uses" in done.stderr
    for quiet in (("--proxy", ""), ("--noproxy", "*"), ("-q",)):
        assert "not used" not in command(*quiet, "-o", "-", stdin=urls, env=env).stderr


def test_variables_are_read_as_curl_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "https://secure:1")
    monkeypatch.setenv("all_proxy", "other:2")
    fetch = configure(proxy="env").fetch
    assert dict(fetch.proxies) == {"https": "https://secure:1", "http": "http://other:2"}
    monkeypatch.setenv("HTTP_PROXY", "client:3")
    monkeypatch.setenv("REQUEST_METHOD", "GET")  # a CGI program's HTTP_PROXY is a header of its client
    assert dict(configure(proxy="env").fetch.proxies)["http"] == "http://other:2"
    monkeypatch.setenv("https_proxy", "ftp://x")
    with pytest.raises(fetchpool.UsageError, match="--proxy env: https_proxy: unsupported scheme 'ftp'"):
        configure(proxy="env")


def test_without_a_proxy_in_the_environment_a_notice_says_so() -> None:
    config = configure(proxy="env")
    assert not config.fetch.has_proxy
    assert config.notices == (
        "--proxy env: the environment has no proxy (http_proxy, https_proxy, all_proxy)",
    )


@pytest.mark.parametrize(
    ("host", "noproxy", "direct"),
    [
        ("a.example", "a.example", True),
        ("www.a.example", ".a.example", True),
        ("www.a.example", "*.a.example", True),
        ("notaa.example", "a.example", False),
        ("A.example.", "b, a.EXAMPLE", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8 192.168.0.0/16", False),
        ("[::1]", "::1", True),
        ("[fd00::1]", "fd00::/8", True),
        ("a.example", "a.example:8080", True),
        ("a.example", "a.example:80", False),
        ("anything", "*", True),
        ("anything", "", False),
    ],
)
def test_hosts_without_a_proxy_are_named_as_in_curl(host: str, noproxy: str, direct: bool) -> None:
    assert is_direct(host, "8080", tuple(hosts(noproxy))) is direct


def test_a_choice_is_made_once_for_each_origin() -> None:
    choice = ProxyChoice(configure(proxy="p:1", noproxy="a.example").fetch)
    assert choice.of("http://b.example/x") == "http://p:1"
    assert choice.of("https://www.a.example/") == ""
    assert choice.depends_on_url
    assert not ProxyChoice(configure(proxy="p:1").fetch).depends_on_url


def test_a_url_is_no_host_without_a_proxy() -> None:
    with pytest.raises(fetchpool.UsageError, match=r"--noproxy: .* is a URL"):
        configure(noproxy="http://a.example")
