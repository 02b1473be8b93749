"""Options as people and programs give them: what is taken, as what, and how the rest is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.config import units
from fetchpool.config.choices import EXECUTORS
from fetchpool.config.configure import configure
from fetchpool.config.machine import usable_cores
from fetchpool.config.outputs import BUILT_IN_FIELDS, Output
from fetchpool.config.run_config import RunConfig
from fetchpool.http.parsers.run import BUILT_IN, load
from fetchpool.http.response import Response
from fetchpool.model.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10),
        ("10s", 10),
        ("1.5s", 1.5),
        (".5", 0.5),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h", 3600),
        ("1d", 86400),
    ],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("4096", 4096),
        ("512k", 524288),
        ("10M", 10485760),
        ("1G", 1 << 30),
        ("1.5g", 3 << 29),
        ("1T", 1 << 40),
    ],
)
def test_a_size_is_read_in_binary_multiples(text: str, octets: int) -> None:
    assert units.size(text) == octets


@pytest.mark.parametrize(
    "text", ["", " ", "s", "1 s", "-1", "+1", "1e3", "1S", "5 parsecs", "nan", "inf", "1h30m", "٣s", "10M"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="500ms, 10s, 2m, 1h or 1d"):
        units.duration(text)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "366d"])
def test_a_duration_out_of_range_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match="between 0 and 365d"):
        units.duration(value)


@pytest.mark.parametrize("text", ["", "k", "1 M", "-1", "10MB", "10MiB", "1e6", "ten", "5x"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1M is 1048576 bytes"):
        units.size(text)


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("10/s", 10), ("30/m", 0.5), ("1800/h", 0.5), ("0.5/s", 0.5), ("0", 0), (2.5, 2.5)],
)
def test_a_rate_is_read_with_its_unit(text: str | float, per_second: float) -> None:
    assert units.rate(text) == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "10", "/s", "10/", "10/d", "10 /s", "10s/s", "-1/s", "1e3/s", "nan/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate; write 10/s, 30/m or 1000/h"):
        units.rate(text)


@pytest.mark.parametrize("value", ["", "1.0", "-1", "+1", "1_000", " 1", "ten", "٣", "9" * 5000, True])
def test_invalid_integers_are_rejected(value: str | int) -> None:
    with pytest.raises(ValueError, match="not an integer of at least 1"):
        units.integer(value, 1)


@given(st.text(max_size=20))
def test_no_text_breaks_the_readers_of_numbers(text: str) -> None:
    for read in (units.duration, units.size, lambda value: units.integer(value, 0)):
        try:
            assert read(text) >= 0
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 - either way is right


def test_without_options_the_defaults_hold() -> None:
    assert configure() == RunConfig()


def test_numbers_and_text_mean_the_same() -> None:
    text = configure(
        workers="20", max_time="2m", max_filesize="10M", retry="3", retry_delay="500ms", per_host="0"
    )
    numbers = configure(workers=20, max_time=120, max_filesize=10 << 20, retry=3, retry_delay=0.5, per_host=0)
    assert text == numbers


def test_no_limit_is_written_0_where_curl_writes_it_so() -> None:
    config = configure(max_filesize=0, retry_max_time="0")
    assert config.fetch.max_filesize is None
    assert config.retry_max_time is None


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        (["Accept: text/html", "X-Id:7"], (("Accept", "text/html"), ("X-Id", "7"))),
        (["X-Empty;"], (("X-Empty", ""),)),
        ({"Accept": "text/html"}, (("Accept", "text/html"),)),
        ([("Accept", "a: b;")], (("Accept", "a: b;"),)),
        (["A: 1", "A: 2"], (("A", "1"), ("A", "2"))),
    ],
)
def test_headers_come_as_lines_pairs_or_a_mapping(given: object, headers: object) -> None:
    assert configure(headers=given).fetch.headers == headers  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost", "http://localhost:1080"),
        ("localhost:3128", "http://localhost:3128"),
        ("HTTP://Proxy.example:80", "http://proxy.example:80"),
        ("https://p", "https://p:443"),
        ("socks5h://u:p%40@10.0.0.1", "socks5h://u:p%40@10.0.0.1:1080"),
        ("socks5://[::1]:9050/", "socks5://[::1]:9050"),
    ],
)
def test_a_proxy_gets_curls_scheme_and_port(given: str, url: str) -> None:
    assert configure(proxy=given).fetch.proxy == url


@pytest.mark.parametrize(
    ("given", "method"), [("get", "GET"), ("HEAD", "HEAD"), ("PURGE", "PURGE"), ("purge", "purge")]
)
def test_a_well_known_method_is_sent_in_capitals(given: str, method: str) -> None:
    assert configure(method=given).fetch.method == method


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("-", "text"),
        ("sizes.txt", "text"),
        ("rows", "text"),
        ("a.jsonl", "jsonl"),
        ("a.NDJSON", "jsonl"),
        ("a.csv", "csv"),
    ],
)
def test_an_outputs_name_says_its_format(path: str, format: str) -> None:
    assert configure(outputs=[path]).outputs == (Output(path, format),)


@pytest.mark.parametrize(
    ("line", "resolved"),
    [
        ("example.org:443:192.0.2.1", ("example.org:443", ("192.0.2.1",))),
        ("Example.ORG:80:192.0.2.1,[2001:db8::1]", ("example.org:80", ("192.0.2.1", "[2001:db8::1]"))),
        ("example.org:443:2001:db8::1", ("example.org:443", ("[2001:db8::1]",))),
    ],
)
def test_addresses_are_given_for_a_host_and_port(line: str, resolved: tuple[str, tuple[str, ...]]) -> None:
    assert configure(resolve=[line]).fetch.resolve == (resolved,)


def test_a_parser_named_twice_runs_once() -> None:
    assert configure(parse=["title", "words:count", "title"]).fetch.parse == ("title", "words:count")


def test_parsers_may_be_separated_by_commas() -> None:
    assert configure(parse="title, meta,title").fetch.parse == ("title", "meta")
    assert configure(parse=["title,links", "meta"]).fetch.parse == ("title", "links", "meta")
    assert configure(parse="title").fetch.parse == ("title",)


def test_the_format_can_be_named_for_all_outputs() -> None:
    outputs = configure(outputs=["-", "a.json"], format="jsonl").outputs
    assert [output.format for output in outputs] == ["jsonl", "jsonl"]


def test_fields_that_text_rows_lack_are_reported_before_the_run() -> None:
    def said(*outputs: str) -> list[str]:
        return [notice for notice in configure(outputs=outputs, parse="title").notices if "text" in notice]

    assert said("a.txt") == ["text output lacks the fields of --parse; use -o rows.jsonl or -o rows.csv"]
    assert said("a.txt", "b.csv") == said() == []
    (notice,) = configure(outputs=["a.txt"], save="kept").notices
    assert "--save" in notice


def test_the_built_in_parsers_fields_are_known_beforehand() -> None:
    assert set(BUILT_IN_FIELDS) == set(BUILT_IN)
    for parser in load(tuple(BUILT_IN)):
        assert tuple(parser.function(Response(url="http://h/", content=b""))) == BUILT_IN_FIELDS[parser.name]
    assert configure(parse=["title", "words:count"]).extra_fields == ("title",)


REFUSALS = [
    ({"hash": "md5"}, "--hash: 'md5' is not supported; use sha256"),
    (
        {"parse": 5},
        "--parse: expected a name, such as title or package.module:function, or a function; got int",
    ),
    (
        {"parse": [5]},
        "--parse: expected a name, such as title or package.module:function, or a function; got int",
    ),
    (
        {"parse": lambda _: {}, "executor": "process"},
        "--parse: worker processes import a parser by its name, and <lambda> is not a name in its module: "
        "define it there with def, outside of other functions, or use executor='thread' or 'async'",
    ),
    ({"workers": 0}, "--workers: 0 is not an integer from 1 to 10000"),
    ({"workers": "ten"}, "--workers: 'ten' is neither an integer from 1 to 10000 nor auto"),
    (
        {"workers": 20_000, "executor": "process"},
        "--workers: 20000 is not an integer from 1 to 10000",
    ),
    (
        {"processes": 0, "executor": "process"},
        "--processes: 0 is not an integer of at least 1",
    ),
    ({"processes": 2}, "--processes only applies to --executor process"),
    (
        {"processes": "two", "executor": "process"},
        "--processes: 'two' is not an integer of at least 1",
    ),
    (
        {"executor": "tread"},
        f"--executor: 'tread' is not one of {', '.join(EXECUTORS)}; did you mean thread?",
    ),
    (
        {"executor": "gpu"},
        f"--executor: 'gpu' is not one of {', '.join(EXECUTORS)}",
    ),
    ({"transport": "request"}, "--transport: 'request' is not one of curl, requests; did you mean requests?"),
    ({"transport": "pycurl"}, "--transport: 'pycurl' is not one of curl, requests; did you mean curl?"),
    (
        {"format": "json", "outputs": ["-"]},
        "--format: 'json' is not one of text, jsonl, csv, tsv, sqlite, parquet; did you mean jsonl?",
    ),
    (
        {"http_version": "2", "transport": "requests"},
        "--http2 requires --transport curl (requests supports HTTP/1.1 only)",
    ),
    ({"max_time": "5 parsecs"}, "--max-time: '5 parsecs' is not a duration; write 500ms, 10s, 2m, 1h or 1d"),
    ({"max_time": 0}, "--max-time: must be more than 0"),
    ({"read_timeout": "0s"}, "--read-timeout: must be more than 0"),
    ({"connect_timeout": -1}, "--connect-timeout: -1 is out of range; a duration is between 0 and 365d"),
    (
        {"max_filesize": "10MB"},
        "--max-filesize: '10MB' is not a size; write 512k, 10M or 1G (1M is 1048576 bytes)",
    ),
    ({"retry": -1}, "--retry: -1 is not an integer of at least 0"),
    (
        {"headers": ["Bearer s3cret"]},
        "--header: missing colon; expected 'Name: value' (or 'Name;' for an empty value)",
    ),
    (
        {"headers": ["X-Key:"]},
        "--header: missing value; expected 'Name: value' (or 'Name;' for an empty value)",
    ),
    (
        {"headers": ["X Key: s3cret"]},
        "--header: invalid header name 'X Key'",
    ),
    (
        {"headers": ["X-Key: s3cret\r\nHost: evil"]},
        "--header X-Key: control characters and line breaks are not allowed",
    ),
    (
        {"headers": ["X-Key: s3cret\0"]},
        "--header X-Key: control characters and line breaks are not allowed",
    ),
    (
        {"headers": {"X-Key": "s3crét"}},
        "--header X-Key: only ASCII is allowed; percent-encode other characters",
    ),
    (
        {"headers": ["Content-Length: 5"]},
        "--header: Content-Length is not allowed; it follows from the body (--data)",
    ),
    ({"headers": "A: b"}, "--header: expected a list of headers, got a string"),
    (
        {"user_agent": "a\nb"},
        "--user-agent: control characters and line breaks are not allowed",
    ),
    ({"user": "s3cret"}, "--user: expected name:password ('name:' for an empty password)"),
    ({"user": "me:s3cret\udcff"}, "--user: not valid UTF-8 (RFC 7617)"),
    ({"user": "me:s3cret\n"}, "--user: control characters are not allowed"),
    ({"method": "GET it"}, "--method: 'GET it' is not an HTTP method such as GET, HEAD or OPTIONS"),
    ({"method": "connect"}, "--method: CONNECT is for proxies only; use --proxy"),
    ({"proxy": "ftp://p"}, "--proxy: unsupported scheme 'ftp'; use http, https, socks5 or socks5h"),
    (
        {"proxy": "u:s3cret@host:99999"},
        "--proxy: invalid address; expected [http|https|socks5|socks5h://][name:password@]host[:port]",
    ),
    (
        {"cacert": "/nowhere/ca.pem"},
        "--cacert: '/nowhere/ca.pem' is not a file; expected a file of PEM certificates",
    ),
    ({"outputs": ["a.txt", "./a.txt"]}, "--output: duplicate path ./a.txt"),
    ({"outputs": [""]}, "--output: expected a path, or - for standard output; got an empty string"),
    (
        {"outputs": ["rows.json"]},
        "--output: rows.json: JSON output has one object per line; use the suffix .jsonl, "
        "or add --format jsonl",
    ),
    (
        {"outputs": ["rows.XLSX"]},
        "--output: rows.XLSX: there is no Excel format; use the suffix .csv, which Excel opens",
    ),
    (
        {"outputs": ["rows.csv.bz2"]},
        "--output: rows.csv.bz2: outputs are compressed with gzip or Zstandard; use .gz or .zst",
    ),
    ({"rate": "10"}, "--rate: '10' is not a rate; write 10/s, 30/m or 1000/h"),
    (
        {"public_only": True, "allow_private": True},
        "--public-only and --allow-private are mutually exclusive",
    ),
    (
        {"resolve": ["example.org:192.0.2.1"]},
        "--resolve: 'example.org:192.0.2.1' is not HOST:PORT:ADDRESS, such as example.org:443:192.0.2.1",
    ),
    ({"resolve": ["example.org:443:localhost"]}, "--resolve: 'localhost' is not an IP address"),
    (
        {"resolve": ["example.org:443:10.0.0.1"], "public_only": True},
        "--resolve: example.org:443:10.0.0.1 is not a public address, which --public-only requires",
    ),
    (
        {"dns_servers": "192.0.2.1", "transport": "requests"},
        "--dns-servers requires --transport curl",
    ),
    ({"inputs": ["-", "-"]}, "INPUT: standard input (-) is given twice"),
]


@pytest.mark.parametrize(("options", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_invalid_options_are_rejected_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        configure(**options)  # type: ignore[arg-type]
    assert str(caught.value) == message
    assert "s3cr" not in message


def test_an_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "urls.txt"
    listed.write_text("http://localhost/\n")
    (tmp_path / "link.txt").symlink_to(listed)
    with pytest.raises(UsageError, match="choose another output with -o"):
        configure([str(listed)], outputs=[str(tmp_path / "link.txt")])


def test_importing_the_configuration_loads_no_third_party_adapter() -> None:
    script = "import sys, fetchpool.config.configure; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"pycurl", "requests", "rich", "typer"} & set(loaded)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (
            "raise ImportError('built for another libcurl\\nsecond line')",
            "cannot be imported (built for another libcurl)",
        ),
        (None, "is not installed (pip install pycurl)"),
    ],
)
def test_without_pycurl_requests_is_used_and_a_notice_says_so(
    tmp_path: Path, module: str | None, reason: str
) -> None:
    if module is not None:
        (tmp_path / "pycurl.py").write_text(module)
        start = f"sys.path.insert(0, {str(tmp_path)!r})"
    else:
        start = "sys.modules['pycurl'] = None"
    script = f"""
import sys, fetchpool.config.configure
{start}
config = fetchpool.config.configure.configure()
print(config.fetch.transport)
print(*config.notices, sep="\\n")
try:
    fetchpool.config.configure.configure(http_version="2")
except fetchpool.config.configure.UsageError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert shown.splitlines() == [
        "requests",
        f"pycurl {reason}; falling back to requests (slower)",
        f"--http2 requires pycurl, which {reason}",
    ]


def test_the_async_executor_requires_curl():
    with pytest.raises(UsageError, match=r"--executor async requires --transport curl"):
        configure(executor="async", transport="requests")


@pytest.mark.parametrize(
    ("workers", "processes", "number", "notices"),
    [
        (3, 3, 3, ()),
        (3, 8, 3, ("3 processes instead of 8: each runs at least one fetch at once, and -w is 3",)),
        (1, 2, 1, ("1 process instead of 2: each runs at least one fetch at once, and -w is 1",)),
        (1, None, 1, ()),
        (100, None, usable_cores(), ()),
    ],
)
def test_there_are_no_more_processes_than_fetches_at_once(
    workers: int, processes: int | None, number: int, notices: tuple[str, ...]
) -> None:
    config = configure(workers=workers, processes=processes, executor="process")
    assert (config.processes, config.notices) == (number, notices)
