"""Inputs as users have them: URLs as arguments, the first N, failures of an earlier run, sitemaps."""

from __future__ import annotations

import csv
import gzip
import http.server
import json
import socket
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pytest

import fetchpool as library
from fetchpool.cli.demo_server.server import DemoServer
from tests.cli.runner import PATIENCE, fetchpool, peak_memory

EXECUTORS = pytest.mark.parametrize(
    "options",
    [(), ("--transport", "requests"), ("--executor", "async"), ("--executor", "process", "-w", "2")],
    ids=["thread", "requests", "async", "process"],
)


def rows_of(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted(rows, key=lambda row: row["urlnum"])


class SitemapServer:
    """A server with these pages; `/page` and everything below it is an HTML page."""

    def __init__(self, **pages: bytes) -> None:
        self.received: list[tuple[str, str | None]] = []
        """The path of each request, and its Authorization header."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.received.append((self.path, self.headers["Authorization"]))
                content = outer.pages.get(self.path[1:])
                if content is None and self.path.startswith("/page"):
                    content = b"<title>page</title>"
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.pages = {
            name: page.replace(b"{here}", self.url("").rstrip("/").encode()) for name, page in pages.items()
        }

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def __enter__(self) -> SitemapServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_urls_files_and_standard_input_are_mixed(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/bytes/{number}") for number in range(4)]
    (tmp_path / "urls.txt").write_text(urls[1])
    bare = urls[3].removeprefix("http://")
    done = fetchpool(urls[0], "urls.txt", "-", bare, "-o", "rows.jsonl", stdin=urls[2], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["url"] for row in rows_of(tmp_path / "rows.jsonl")] == [*urls[:3], bare]
    assert f"{bare}: no file has that name; reading it as the URL http://{bare}" in done.stderr
    dry = fetchpool(urls[0], "urls.txt", "--dry-run", cwd=tmp_path)
    assert dry.stdout.startswith("would fetch 2 URLs from 1 host;")
    again = fetchpool(bare, "--dry-run", cwd=tmp_path)
    assert again.stderr == f"{bare}: no file has that name; reading it as the URL http://{bare}\n"


def test_a_misspelt_file_is_refused(tmp_path: Path) -> None:
    done = fetchpool("http://127.0.0.1:9/", "url.txt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "fetchpool: url.txt: no such file; check its name\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--delimiter", ";"), "--delimiter requires --url-column"),
        (
            ("--url-column", "a", "--delimiter", "ab"),
            "--delimiter: expected one character such as ; or the word tab",
        ),
        (("--encoding", "utf8x"), "--encoding: no encoding 'utf8x'; did you mean utf-8?"),
        (("--encoding", "rot13"), "--encoding: no encoding 'rot13'"),
        (("--limit", "0"), "--limit: 0 is not an integer of at least 1"),
        (("--shard", "0/4"), "--shard: expected K/N, with K from 1 to N, such as 1/4; got '0/4'"),
        (("--shard", "5/4"), "--shard: expected K/N, with K from 1 to N, such as 1/4; got '5/4'"),
        (("--sitemap", ""), "--sitemap: expected a path or a URL, got an empty string"),
        (("--sitemap", "none.xml"), "none.xml: no such file; check its name"),
        (("-", "--sitemap", "-"), "INPUT: standard input (-) is given twice"),
    ],
)
def test_invalid_input_options_are_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = fetchpool(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_spreadsheets_table_is_read(demo_server: DemoServer, tmp_path: Path) -> None:
    """Semicolons, Windows-1252, a name in another case, a cell with a line break."""
    url = demo_server.url("/bytes/1")
    text = f'Ort;URL;Notiz\r\nKöln;{url};"zwei\nZeilen"\r\n'
    (tmp_path / "list.csv").write_bytes(text.encode("cp1252"))
    outputs = [word for suffix in ("jsonl", "csv", "sqlite") for word in ("-o", f"rows.{suffix}")]
    done = fetchpool("list.csv", "--url-column", "url", "--keep-columns", *outputs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "list.csv: line 2 is not UTF-8; reading such lines as Windows-1252 (cp1252)" in done.stderr
    [row] = rows_of(tmp_path / "rows.jsonl")
    assert (row["Ort"], row["Notiz"]) == ("Köln", "zwei\nZeilen")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 2


@EXECUTORS
def test_a_limit_ends_the_list(demo_server: DemoServer, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "a.txt").write_text("".join(f"{demo_server.url(f'/bytes/{n}')}\n" for n in range(3)))
    (tmp_path / "b.txt").write_text("".join(f"{demo_server.url(f'/bytes/{n}')}\n" for n in range(3, 90)))
    command = ("a.txt", "b.txt", "--limit", "5", "-o", "rows.jsonl", *options)
    assert fetchpool(*command, cwd=tmp_path).returncode == 0
    assert [row["size_delivered"] for row in rows_of(tmp_path / "rows.jsonl")] == [0, 1, 2, 3, 4]
    again = fetchpool(*command, "--resume", cwd=tmp_path)
    assert again.returncode == 0
    assert len(rows_of(tmp_path / "rows.jsonl")) == 5


def test_shards_divide_a_list_by_host_and_are_resumed_alone(demo_server: DemoServer, tmp_path: Path) -> None:
    """Each host is in one shard, which is the same for every run, executor and order of the list."""
    hosts = [f"127.0.0.{number}" for number in range(1, 21)]
    pages = [f"http://{host}:{demo_server.port}/bytes/{n}" for n in range(2) for host in hosts]
    rows: list[str] = []
    for shard, options in (("1/3", ()), ("2/3", ("--executor", "async")), ("3/3", ("--executor", "process"))):
        output = f"rows-{shard[0]}.jsonl"
        (tmp_path / "urls.txt").write_text("".join(f"{url}\n" for url in [*pages, "http://[broken"]))
        command = ("urls.txt", "--shard", shard, "-w", "4", "--retry", "0", "-o", output, *options)
        planned = fetchpool(*command, "--dry-run", cwd=tmp_path)
        for arguments in (("--limit", "30"), ("--resume",)):  # only one of the hosts has a server
            assert fetchpool(*command, *arguments, cwd=tmp_path).returncode in (0, 1)
        urls = [row["url"] for row in rows_of(tmp_path / output)]
        fetched = [url for url in urls if url in pages]
        assert f"would fetch {len(fetched)} URLs from {len(fetched) // 2} hosts" in planned.stdout
        rows += urls
        pages.reverse()
    assert sorted(rows) == sorted([*pages, "http://[broken"])


def test_a_program_fetches_a_shard(demo_server: DemoServer) -> None:
    pages = [f"http://127.0.0.{number}:{demo_server.port}/bytes/1" for number in range(1, 9)]
    parts = [[row.url for row in library.fetch(iter(pages), shard=f"{part}/2", retry=0)] for part in (1, 2)]
    assert all(parts)
    assert sorted(parts[0] + parts[1]) == sorted(pages)


def test_a_limit_takes_no_more_of_an_iterable(demo_server: DemoServer) -> None:
    taken = []

    def urls() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield demo_server.url(f"/bytes/{number}")

    assert len(list(library.fetch(urls(), limit=3))) == 3
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "sqlite", "parquet", "txt", "tsv", "jsonl.gz", "csv.zst"])
def test_failures_are_retried_from_the_output_alone(
    demo_server: DemoServer, tmp_path: Path, suffix: str
) -> None:
    good = [demo_server.url(f"/bytes/{number}") for number in range(3)]
    flaky = [demo_server.url(f"/flaky/1?{suffix}{number}") for number in range(2)]
    gone = demo_server.url("/status/404")
    (tmp_path / "urls.txt").write_text("\n".join([*good, *flaky, gone]))
    out = f"rows.{suffix}"
    assert fetchpool("urls.txt", "-o", out, "--retry", "0", cwd=tmp_path).returncode == 1
    (tmp_path / "urls.txt").unlink()
    dry = fetchpool("--retry-failed", "http_5xx", "-o", out, "--dry-run", cwd=tmp_path)
    assert dry.stdout.startswith("would fetch 2 URLs from 1 host;")
    done = fetchpool("--retry-failed", "http_5xx", "-o", out, "--retry", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    none = fetchpool("--retry-failed", "http_5xx", "-o", out, "--retry", "0", cwd=tmp_path)
    assert none.returncode == 0, none.stderr
    if suffix == "jsonl":
        rows = [json.loads(line) for line in (tmp_path / out).read_text().splitlines()]
        assert len(rows) == 8
        assert sorted(row["url"] for row in rows[6:]) == flaky
        assert [row["error"] for row in rows[6:]] == [None, None]


def test_retrying_without_a_list_and_an_output_names_the_fix(tmp_path: Path) -> None:
    done = fetchpool("--retry-failed", "all", "-o", "rows.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "--retry-failed without INPUT reads the URLs of the output, and there is no rows.jsonl" in done.stderr
    )
    assert not (tmp_path / "rows.jsonl").exists()


def test_urls_whose_password_is_lost_are_left_out(demo_server: DemoServer, tmp_path: Path) -> None:
    url = demo_server.url("/status/404")
    secret = url.replace("://", "://me:secret@")
    assert fetchpool(secret, url, "-o", "rows.jsonl", cwd=tmp_path).returncode == 1
    done = fetchpool("--retry-failed", "all", "-o", "rows.jsonl", cwd=tmp_path)
    assert "1 failed URL with a user and password left out" in done.stderr
    assert [json.loads(line)["url"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()][2:] == [
        url
    ]


URLSET = b"<urlset><url><loc>{here}/page/1</loc></url><url><loc>{here}/page/2</loc></url></urlset>"
INDEX = b"<sitemapindex><sitemap><loc>{here}/map.gz</loc></sitemap></sitemapindex>"


@EXECUTORS
def test_the_urls_of_a_sitemap_are_fetched_and_it_has_no_row(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with SitemapServer(index=INDEX, map=URLSET) as server:
        server.pages["map.gz"] = gzip.compress(server.pages["map"])
        (tmp_path / "urls.txt").write_text(server.url("page/0"))
        command = ("urls.txt", "--sitemap", server.url("index"), "-o", "rows.jsonl", *options)
        done = fetchpool(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        pages = [server.url(f"page/{number}") for number in range(3)]
        assert [row["url"] for row in rows_of(tmp_path / "rows.jsonl")] == pages
        assert [path for path, _ in server.received if "page" not in path] == ["/index", "/map.gz"]
        (tmp_path / "map.xml").write_bytes(server.pages["map"])
        done = fetchpool("--sitemap", "map.xml", "-o", "local.jsonl", *options, cwd=tmp_path)
        assert [row["url"] for row in rows_of(tmp_path / "local.jsonl")] == pages[1:]


class SlowSitemap(http.server.BaseHTTPRequestHandler):
    """Sends the rest of a sitemap, or closes the connection, when the first of its pages is requested."""

    pieces: Iterator[tuple[int, bytes, bytes]]
    """For each request the size that it announces, what it sends at once, and what it sends then."""
    requested: list[str]
    page: threading.Event

    def do_GET(self) -> None:
        self.requested.append(self.path)
        if self.path != "/map":
            self.send_response(204)
            self.end_headers()
            self.page.set()
            return
        size, first, rest = next(self.pieces)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(first)
        if self.page.wait(PATIENCE):
            self.wfile.write(rest)

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize("options", [(), ("--transport", "requests"), ("--limit-rate", "1M")])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_urls_of_a_sitemap_are_fetched_while_it_arrives_and_once_after_a_retry(
    tmp_path: Path, options: tuple[str, ...], is_compressed: bool
) -> None:
    class Handler(SlowSitemap):
        requested: ClassVar[list[str]] = []
        page = threading.Event()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = f"http://127.0.0.1:{server.server_port}"
        complete = URLSET.replace(b"{here}", here.encode())
        beginning = complete[: complete.index(b"</url>") + 10]
        if is_compressed:
            packer = zlib.compressobj(wbits=31)
            beginning = packer.compress(beginning) + packer.flush(zlib.Z_SYNC_FLUSH)
            complete = gzip.compress(complete)
        first = (len(complete) + 1000, beginning, b"")
        Handler.pieces = iter([first, (len(complete), complete, b"")])
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        command = ("--sitemap", f"{here}/map", "--retry-delay", "10ms", "--no-dedupe", "-o", "rows.jsonl")
        done = fetchpool(*command, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert sorted(Handler.requested) == ["/map", "/map", "/page/1", "/page/2"]
        assert Handler.requested[:2] == ["/map", "/page/1"]
        server.shutdown()


def test_memory_does_not_grow_with_a_sitemap_that_is_fetched(tmp_path: Path) -> None:
    blank = b"<!--" + b" " * 1_000_000 + b"-->"
    peaks = []
    for count in (1, 50):
        with SitemapServer(map=URLSET.replace(b"<url>", blank * count + b"<url>", 1)) as server:
            peaks.append(peak_memory("--sitemap", server.url("map"), "-o", f"{count}.jsonl", cwd=tmp_path))
            assert len(rows_of(tmp_path / f"{count}.jsonl")) == 2
    assert peaks[1] < peaks[0] + 20_000_000


def test_a_sitemap_that_is_too_large_is_read_up_to_the_limit(tmp_path: Path) -> None:
    blank = b"<!--" + b" " * 1_000_000 + b"-->"
    with SitemapServer(map=URLSET.replace(b"</urlset>", blank * 70 + b"</urlset>")) as server:
        done = fetchpool("--sitemap", server.url("map"), "-o", "rows.jsonl", cwd=tmp_path)
        assert done.returncode == 2
        assert f"{server.url('map')}: is too large; the rest is not read" in done.stderr
        assert len(rows_of(tmp_path / "rows.jsonl")) == 2


def test_a_sitemap_that_cannot_be_fetched_is_an_input_failure(tmp_path: Path) -> None:
    with SitemapServer(index=INDEX) as server:
        done = fetchpool(
            "--sitemap", server.url("index"), server.url("page"), "-o", "rows.jsonl", cwd=tmp_path
        )
        assert done.returncode == 2
        assert f"{server.url('map.gz')}: the sitemap could not be fetched: " in done.stderr
        assert [row["url"] for row in rows_of(tmp_path / "rows.jsonl")] == [server.url("page")]


def test_a_sitemap_gives_a_password_to_no_other_host(tmp_path: Path) -> None:
    with (
        SitemapServer() as other,
        SitemapServer(map=URLSET.replace(b"{here}/page/2", other.url("page").encode())) as server,
    ):
        done = fetchpool("--sitemap", server.url("map"), "-u", "me:secret", "-o", "rows.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert all(secret for _, secret in server.received)
        assert other.received == [("/page", None)]


def test_a_run_that_ends_aborts_the_fetch_of_a_sitemap(demo_server: DemoServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sitemap = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        records = library.fetch([demo_server.url("/bytes/1")], sitemap=sitemap)
        assert next(records).ok
        silent.accept()
        [reader] = [thread for thread in threading.enumerate() if thread.name == "fetchpool-source"]
        records.close()  # type: ignore[attr-defined]  # it is a generator
        reader.join(5)
        assert not reader.is_alive()


def test_a_program_adds_a_sitemap_to_its_urls() -> None:
    with SitemapServer(map=URLSET) as server:
        records = list(library.fetch([server.url("page")], sitemap=server.url("map"), limit=2))
        assert sorted(record.url for record in records) == [server.url("page"), server.url("page/1")]
        assert sorted(record.urlnum for record in records) == [0, 1]


@EXECUTORS
def test_a_row_says_where_its_url_stood(
    demo_server: DemoServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Also after a retry and a redirect, for an invalid URL, and in every format."""
    flaky = demo_server.url(f"/flaky/1?{'-'.join(options)}")
    lines = ["# list", flaky, "", demo_server.url("/redirect/2"), "<http://h/>"]
    (tmp_path / "urls.txt").write_text("\n".join(lines))
    outputs = [word for suffix in ("jsonl", "csv", "sqlite", "parquet") for word in ("-o", f"rows.{suffix}")]
    command = (
        "-",
        "urls.txt",
        demo_server.url("/bytes/2"),
        *outputs,
        "--keep",
        "line",
        "--retry-delay",
        "10ms",
    )
    done = fetchpool(*command, *options, stdin=f"\n{demo_server.url('/bytes/1')}\n", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    expected = ["standard input:2", "urls.txt:2", "urls.txt:4", "urls.txt:5", "argument:3"]
    assert [row["line"] for row in rows_of(tmp_path / "rows.jsonl")] == expected
    with (tmp_path / "rows.csv").open(newline="") as cells:
        found = sorted(csv.DictReader(cells), key=lambda row: int(row["urlnum"]))
    assert [row["line"] for row in found] == expected
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
        stored = database.execute("SELECT line FROM fetches ORDER BY urlnum").fetchall()
    pages = duckdb.sql(f"SELECT line FROM '{tmp_path}/rows.parquet' ORDER BY urlnum").fetchall()
    assert stored == pages == [(line,) for line in expected]


def test_a_line_is_kept_next_to_a_column_of_that_name(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"url,line\n{demo_server.url('/bytes/1')},theirs\n")
    options = ("--url-column", "url", "--keep-columns", "--keep", "line", "-o", "rows.jsonl")
    assert fetchpool("list.csv", *options, cwd=tmp_path).returncode == 0
    [row] = rows_of(tmp_path / "rows.jsonl")
    assert (row["line"], row["input_line"]) == ("list.csv:2", "theirs")


def test_a_programs_row_has_the_number_of_its_element(demo_server: DemoServer) -> None:
    records = library.fetch([demo_server.url("/bytes/1"), demo_server.url("/bytes/2")], keep="line")
    assert sorted(record.extra["line"] for record in records) == ["urls:1", "urls:2"]
