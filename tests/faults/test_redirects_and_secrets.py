"""Redirects and secrets: which redirects are followed, and which headers are sent to their targets."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

import fetchpool
from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import (
    CURL,
    Way,
    errors,
    fetch_faults,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.proxy import Proxy
from tests.faults.scenarios.broken import BROKEN_RESPONSES
from tests.faults.scenarios.normal import BAD_LOCATIONS, PAGE
from tests.faults.server import FaultServer

SECRET = "s3cret"
SECRET_HEADERS = [
    ("Authorization", f"Bearer {SECRET}"),
    ("Cookie", f"session={SECRET}"),
    ("Proxy-Authorization", f"Basic {SECRET}"),
    ("X-Api-Key", SECRET),
]
USERINFO = f"user:{SECRET}@"
BASIC = "Basic " + b64encode(f"user:{SECRET}".encode()).decode()


@pytest.fixture(scope="module")
def tls_server() -> Iterator[FaultServer]:
    """The same host with TLS and a certificate of an unknown authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with FaultServer(context) as server:
        yield server


def by_way_of(server: FaultServer, target: str) -> str:
    """A URL of the server that redirects to `target`."""
    return server.url(f"redirect-to?{quote(target, safe='')}")


def signed(url: str) -> str:
    """The URL with a user name and a password in it."""
    return url.replace("://", f"://{USERINFO}")


def said_at(server: FaultServer, scenario: str = "capture") -> list[str]:
    """All header lines of the last request for that scenario."""
    return list([request for request in server.received if request.scenario == scenario][-1].lines)


def assert_says_no_secret(server: FaultServer, scenario: str = "capture") -> None:
    said = " ".join(said_at(server, scenario)).lower()
    assert SECRET not in said
    assert "authorization" not in said
    assert "cookie" not in said
    assert "user-agent: fetchpool/" in said


# 22 to 24: where to


@over_each_transport
def test_22_a_redirect_loop_or_an_eleventh_hop_is_too_many_redirects(server: FaultServer, way: Way) -> None:
    """`too_many_redirects` beyond `--max-redirs` (default 10)."""
    records = fetch_faults(server, way, ["redirect-loop", "redirect?10", "redirect?11"])
    assert list(errors(records).values()) == ["too_many_redirects", None, "too_many_redirects"]
    assert [record.num_redirects for record in records.values()] == [10, 10, 10]
    assert records["redirect?10"].size_delivered == len(PAGE)
    records = fetch_faults(server, way, ["redirect?1", "redirect?2"], max_redirs=1)
    assert list(errors(records).values()) == [None, "too_many_redirects"]


@over_each_transport
def test_23_a_location_of_another_scheme_is_not_followed(server: FaultServer, way: Way) -> None:
    """`unsupported_scheme` for `file:`, `gopher:`, `javascript:`, `data:` and `ftp:`; nothing is opened."""
    locations = [f"location?{name}" for name in ("file", "gopher", "javascript", "data", "ftp")]
    records = fetch_faults(server, way, locations)
    assert errors(records) == dict.fromkeys(locations, "unsupported_scheme")
    assert {record.response_code for record in records.values()} == {302}
    assert {record.num_redirects for record in records.values()} == {0}


@over_each_transport
def test_24_an_invalid_location_is_a_row_and_not_an_exception(server: FaultServer, way: Way) -> None:
    """`invalid_url` for half a bracket, a host of 60 KB, `a..b`, `//`, spaces and invalid ports; `protocol`
    for two different ones. An empty one is not a redirect; non-ASCII characters are encoded. requests raises
    a ValueError for some of them."""
    bad = {
        "half-bracket": "invalid_url",
        "long-host": "invalid_url",
        "empty-label": "invalid_url",
        "slashes": "invalid_url",
        "spaces": "invalid_url",
        "port": "invalid_url",
        "port-words": "invalid_url",
        "percent": "invalid_url",
        "nothing-but-a-scheme": "invalid_url",
        "empty": None,
        "utf8": "http_404",
        "latin1": "http_404",
        "control": "http_404",
        "backslashes": "refused",  # another address of this machine, with the port closed
    }
    assert set(BAD_LOCATIONS) - {"file", "gopher", "javascript", "data", "ftp"} == set(bad)
    records = fetch_faults(server, way, [*(f"location?{name}" for name in bad), "location-twice"])
    assert list(errors(records).values()) == [*bad.values(), "protocol"]
    assert records["location?empty"].response_code == 302
    targets = {request.target for request in server.received}
    assert {"/%C3%A9/%C3%BC?%C3%9F", "/caf%E9", "/a%01b%7F"} <= targets


# 25 to 30: secrets


@over_each_transport
@pytest.mark.parametrize("given", ["headers", "URL", "option"])
def test_25_credentials_and_custom_headers_are_not_sent_to_another_host(
    server: FaultServer, other_server: FaultServer, way: Way, given: str
) -> None:
    """`Authorization`, `Cookie`, `Proxy-Authorization` and every custom header (`X-Api-Key` leaks from
    libcurl and requests) go to the first origin only; so do a password in the URL and `--user`."""
    settings: dict[str, object] = {"headers": {"X-Api-Key": SECRET}}
    if given == "headers":
        settings = {"headers": SECRET_HEADERS}
    elif given == "option":
        settings["user"] = f"user:{SECRET}"
    url = by_way_of(server, other_server.url("capture"))
    [record] = fetch_urls(way, [signed(url) if given == "URL" else url], **settings)
    assert (record.error, record.url_effective) == (None, other_server.url("capture"))
    first = said_at(server, "redirect-to")
    assert f"X-Api-Key: {SECRET}" in first
    if given == "headers":
        assert {f"{name}: {value}" for name, value in SECRET_HEADERS} <= set(first)
    else:
        assert f"Authorization: {BASIC}" in first
    assert_says_no_secret(other_server)


@over_each_transport
def test_25_they_are_not_sent_after_a_redirect_back(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """If the other host redirects back to the first one, they are not sent either, since the other host chose
    that request."""
    url = by_way_of(server, by_way_of(other_server, server.url("capture")))
    [record] = fetch_urls(way, [signed(url)], headers=SECRET_HEADERS[1:])
    assert (record.error, record.num_redirects) == (None, 2)
    assert_says_no_secret(other_server, "redirect-to")
    assert_says_no_secret(server)


@pytest.mark.parametrize("way", [CURL], ids=str)
def test_25_the_same_holds_for_a_pool_without_a_scheduler(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """`fetchpool.Pool` follows redirects to other hosts in the worker."""
    with fetchpool.Pool(1, executor=way.executor, transport=way.transport, headers=SECRET_HEADERS) as pool:
        outcome = pool.submit(signed(by_way_of(server, other_server.url("capture")))).result()
    assert (outcome.error, outcome.url_effective) == (None, other_server.url("capture"))
    assert_says_no_secret(other_server)


@over_each_transport
def test_26_another_port_or_scheme_of_the_same_host_is_another_origin(
    server: FaultServer, tls_server: FaultServer, way: Way
) -> None:
    """Credentials and custom headers are not sent there, either. Within the origin they are."""
    with FaultServer() as neighbour:
        targets = [neighbour.url("capture"), tls_server.url("capture")]
        urls = [signed(by_way_of(server, target)) for target in targets]
        records = fetch_urls(way, urls, headers=SECRET_HEADERS[1:], insecure=True)
        assert [record.error for record in records] == [None, None]
        assert_says_no_secret(neighbour)
        assert_says_no_secret(tls_server)
    [record] = fetch_urls(way, [signed(by_way_of(server, "/capture"))], headers=SECRET_HEADERS[1:])
    assert (record.error, record.num_redirects) == (None, 1)
    assert {f"Authorization: {BASIC}", f"X-Api-Key: {SECRET}"} <= set(said_at(server))


@over_each_transport
def test_68_headers_that_are_not_secret_are_sent_to_every_origin(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """`User-Agent`, `Accept`, `Accept-Language` and the like are sent to other hosts as given, so all
    requests of a redirect chain have one user agent. Other custom headers are not (25)."""
    given = {"User-Agent": "mine/1", "accept": "text/html", "Accept-Language": "de", "Range": "bytes=0-"}
    headers = {**given, "X-Api-Key": SECRET, "Referer": f"http://{SECRET}/", "If-Match": f'"{SECRET}"'}
    [record] = fetch_urls(way, [by_way_of(server, other_server.url("capture"))], headers=headers)
    assert (record.error, record.url_effective) == (None, other_server.url("capture"))
    said = said_at(other_server)
    assert {f"{name}: {value}" for name, value in given.items()} <= set(said)
    assert SECRET not in " ".join(said)


@over_each_transport
def test_68_an_upgrade_to_https_is_the_same_site(way: Way) -> None:
    """From `http://host/` to `https://host/`, both with the default port, credentials and custom headers are
    sent, since nearly every site redirects like this. Any other scheme or port is another origin (26)."""
    certificate = trustme.CA().issue_cert("site.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with FaultServer(context) as secure, Proxy(upgrades_to=secure.port) as proxy:
        [record] = fetch_urls(
            way,
            [signed("http://site.example/capture")],
            headers=SECRET_HEADERS[3:],
            insecure=True,
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
        assert (record.error, record.url_effective) == (None, "https://site.example/capture")
        assert {f"Authorization: {BASIC}", f"X-Api-Key: {SECRET}"} <= set(said_at(secure))


# 67: cookies of a chain


def setting(server: FaultServer, where: str, *cookies: str) -> str:
    """A URL of the server that sets these cookies and redirects there."""
    return server.url(f"set-cookie?{quote('|'.join([*cookies, where]), safe='')}")


def cookies_at(server: FaultServer, scenario: str = "capture") -> list[str]:
    """What its last request says in `Cookie` headers."""
    lines = [line.partition(": ") for line in said_at(server, scenario)]
    return [value for name, _, value in lines if name.lower() == "cookie"]


@in_every_way
def test_67_a_cookie_wall_is_passed(server: FaultServer, way: Way) -> None:
    """A page that redirects to itself until the cookie it sets is sent back, as consent and login pages do,
    would loop without cookies. No URL of the list shares its cookies with another one."""
    urls = [server.url("cookie-wall"), server.url("cookie-wall?b"), server.url("capture")]
    records = fetch_urls(way, urls, workers=1)
    assert [(record.error, record.num_redirects) for record in records] == [(None, 1), (None, 1), (None, 0)]
    assert cookies_at(server) == []
    walls = [request for request in server.received if request.scenario == "cookie-wall"]
    assert ["cookie" in request.headers() for request in walls] == [False, True, False, True]


@in_every_way
def test_67_cookies_are_sent_to_their_host_and_path_only(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """By host, path and `Secure` (RFC 6265): not to another host, and again to the first one when the
    redirects return there. A cookie that the server deletes is gone; its bytes are sent as received."""
    cookies = (
        "here=1",
        "path=2; Path=/capture",
        "elsewhere=3; Path=/other",
        "secure=4; Path=/; Secure",
        "gone=5; Path=/; Max-Age=0",
        "past=6; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
        "foreign=7; Domain=example.org",
        "raw=caf\xe9; Path=/",
    )
    back = by_way_of(other_server, server.url("capture"))
    [record] = fetch_urls(way, [setting(server, back, *cookies).replace("%C3%A9", "%E9")])
    assert (record.error, record.url_effective) == (None, server.url("capture"))
    assert cookies_at(other_server, "redirect-to") == []
    assert cookies_at(server) == ["path=2; here=1; raw=caf\xe9"]


@over_each_transport
def test_67_a_custom_cookie_header_is_merged_and_sent_to_one_origin(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """There is one `Cookie` header: the user's, except for cookies that the server has set. Another host
    receives none of the user's cookies, and neither does the first host after a redirect back."""
    headers = {"Cookie": f"own={SECRET}; both=old"}
    target = setting(server, "/capture", "both=new; Path=/", "chain=1; Path=/")
    [record] = fetch_urls(way, [target], headers=headers)
    assert record.error is None
    assert cookies_at(server) == [f"own={SECRET}; both=new; chain=1"]
    back = by_way_of(other_server, server.url("capture"))
    [record] = fetch_urls(way, [setting(server, back, "chain=1; Path=/")], headers=headers)
    assert record.error is None
    assert cookies_at(other_server, "redirect-to") == []
    assert cookies_at(server) == ["chain=1"]


def test_67_cookies_are_in_no_output_and_no_log(server: FaultServer, tmp_path: Path) -> None:
    """A cookie from a server is treated as a secret, too."""
    url = setting(server, "/reset", f"session={SECRET}; Path=/")
    (tmp_path / "urls.txt").write_text(url.replace(SECRET, "s3c%72et"))
    outputs = ("-o", "rows.jsonl", "-o", "rows.csv", "-o", "rows.txt")
    again = ("--retry", "1", "--retry-delay", "1ms", "-v")
    done = runner.fetchpool("urls.txt", *outputs, *again, cwd=tmp_path)
    assert done.returncode == 1
    assert cookies_at(server, "reset") == [f"session={SECRET}"]
    for path in tmp_path.glob("rows.*"):
        assert SECRET not in path.read_text()
    assert SECRET not in done.stdout + done.stderr


# 69: what a Location's bytes mean


@over_each_transport
def test_69_raw_bytes_in_a_location_are_percent_encoded(server: FaultServer, way: Way) -> None:
    """Latin-1, Shift_JIS, UTF-8 or anything else: the server gets back the bytes it sent, as from a
    browser."""
    locations = {
        b"/capture?caf\xe9": "/capture?caf%E9",
        b"/caf\xe9/\x93\xfa\x96\x7b": "/caf%E9/%93%FA%96%7B",
        "/\u65e5\u672c?\u00e9".encode(): "/%E6%97%A5%E6%9C%AC?%C3%A9",
        b"/a%e9\xe9": "/a%e9%E9",
    }
    urls = [server.url(f"raw-location?{quote(raw, safe='')}") for raw in locations]
    records = fetch_urls(way, urls)
    assert [record.url_effective for record in records] == [server.url(to[1:]) for to in locations.values()]
    assert set(locations.values()) <= {request.target for request in server.received}


@pytest.mark.parametrize("transport", ["curl", "requests"])
def test_27_netrc_and_proxy_variables_are_ignored(
    server: FaultServer, tmp_path: Path, transport: str
) -> None:
    """`.netrc`, `.curlrc`, `HTTP_PROXY` and the like have no effect: the same list gives the same rows on
    every machine."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login user password {SECRET}\n")
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / ".curlrc").write_text(f'header = "X-Curlrc: {SECRET}"\n')
    (tmp_path / "urls.txt").write_text(server.url("capture"))
    with Proxy() as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        env = {"HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc"), "CURL_HOME": str(tmp_path)}
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            env[name] = address
        done = runner.fetchpool(
            "urls.txt", "-o", "-", "--transport", transport, cwd=tmp_path, env={**env, "NO_PROXY": ""}
        )
        assert done.returncode == 0, done.stderr
        assert proxy.heads == []
    said = " ".join(said_at(server)).lower()
    assert SECRET not in said
    assert "authorization" not in said


def test_28_a_password_in_a_url_is_used_and_appears_nowhere(server: FaultServer, tmp_path: Path) -> None:
    """`http://user:pw@host/` works, and `pw` appears in no output, log line or error message, where `***@`
    replaces it. The same holds for URLs that fail, are invalid, or are retried."""
    dead = "127.0.0.3"  # another host: after ten failures in a row it would be paused for seconds
    with ports.refused(dead) as port:
        urls = [
            signed(server.url("capture")),
            signed(server.url("reset")),
            signed(server.url("http09")),
            signed(server.url("location?half-bracket")),
            signed(by_way_of(server, server.url("ok"))),
            f"http://{USERINFO}{dead}:{port}/refused",
            f"http://{USERINFO}[::1/",
            f"ftp://{USERINFO}127.0.0.1/",
            f"{USERINFO}127.0.0.1:{server.port}/ok",
            f"http:\\\\{USERINFO}{dead}:{port}\\a",
            f"http://user:{SECRET}/#?@127.0.0.1:{server.port}/ok",
        ]
        (tmp_path / "urls.txt").write_text("\n".join(urls))
        outputs = ("-o", "rows.jsonl", "-o", "rows.csv", "-o", "rows.txt", "-o", "-")
        again = ("--retry", "1", "--retry-delay", "1ms", "-v", "--no-dedupe")
        done = runner.fetchpool("urls.txt", *outputs, *again, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert f"Authorization: {BASIC}" in said_at(server)
    shown = [
        done.stdout,
        done.stderr,
        *((tmp_path / f"rows.{end}").read_text() for end in ("jsonl", "csv", "txt")),
    ]
    for text in shown:
        assert SECRET not in text
        assert "***@" in text
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == len(urls)
    assert not any("@" in row["url_effective"] for row in rows)


def test_28_also_not_on_the_live_display_or_in_an_error_message(server: FaultServer, tmp_path: Path) -> None:
    """The same on a terminal, which shows URLs in flight, and in the message about an invalid option."""
    (tmp_path / "urls.txt").write_text(
        "\n".join(signed(server.url(path)) for path in ("silence", "reset", "trickle"))
    )
    arguments = ["urls.txt", "-v", "--retry", "0", "--max-time", "1500ms"]
    with runner.Terminal(arguments, tmp_path) as terminal:
        terminal.wait_for("reset")
        assert terminal.wait() == 1
        assert "***@" in terminal.words
        assert SECRET not in terminal.screen
    for arguments in (
        ["urls.txt", "--proxy", f"http://{USERINFO}host:port/"],
        ["urls.txt", "--proxy", f"nonsense://{USERINFO}host/"],
        ["urls.txt", "--user", f"{SECRET}"],
        ["urls.txt", "--header", f"Authorization {SECRET}"],
    ):
        done = runner.fetchpool(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert SECRET not in done.stdout + done.stderr


@over_each_transport
def test_29_userinfo_in_a_location_is_dropped(server: FaultServer, way: Way) -> None:
    """A server can neither make fetchpool send credentials nor show them in the row."""
    record = fetch_faults(server, way, ["location-userinfo"])["location-userinfo"]
    assert (record.error, record.url_effective) == (None, server.url("capture"))
    assert "authorization" not in " ".join(said_at(server)).lower()


@over_each_transport
def test_30_a_secret_in_a_query_string_is_not_copied_into_errormsg(
    server: FaultServer, tls_server: FaultServer, way: Way
) -> None:
    """The query string is only in `url`; no message contains it, whatever fails."""
    query = f"?token={SECRET}"
    failing = [
        *BROKEN_RESPONSES,
        "reset",
        "empty",
        "short-body",
        "huge-length",
        "fake-gzip",
        "cut-in-headers",
    ]
    with ports.refused() as port:
        urls = [
            *(server.url(path + query) for path in failing),
            f"http://127.0.0.1:{port}/{query}",
            f"http://no.such.host.invalid/{query}",
            f"ftp://127.0.0.1/{query}",
            f"http://[::1/{query}",
            tls_server.url(f"ok{query}"),
            server.url(f"ok{query}").replace("http:", "https:"),
            server.url(f"no-such-page{query}"),
        ]
        records = fetch_urls(way, urls)
    for record in records:
        assert record.error is not None, record.url
        assert record.errormsg
        assert SECRET in record.url
        assert SECRET not in record.errormsg
