"""`--warc`: what was sent and received, as any reader of WARC finds it."""

from __future__ import annotations

import gzip
import io
import json
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.cli import main as warcio

from fetchpool.cli.demo_server.pages import content, text
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model import urls as url_parser
from fetchpool.model.outcome import Outcome
from fetchpool.sinks.spool import PREFIX
from fetchpool.sinks.warc import end_of_last_record
from fetchpool.transports.base import Headers, HopResult, ResponseHead
from tests.cli.environment import UNCOMPILED, environment
from tests.cli.runner import FETCHPOOL, fetchpool, peak_memory, run, start
from tests.faults.matrix import Way, in_every_way, over_each_transport
from tests.faults.server import FaultServer, Peer, Received, scenario

HEAD = b"HTTP/1.1 200 Just  fine\r\nX-Odd:no blank\r\nx-ODD:   three  \r\nContent-Length: 5\r\n\r\n"
CHUNKS = [b"first ", b"f\r\nsecond ", b"x" * 3000]


@scenario("odd-head")
def odd_head(peer: Peer, _received: Received) -> None:
    peer.send(HEAD + b"hello")
    peer.keep = True


@scenario("in-chunks")
def in_chunks(peer: Peer, _received: Received) -> None:
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
    zipped = gzip.compress(b"".join(CHUNKS), mtime=0)
    for piece in (zipped[:7], zipped[7:], b""):
        peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    peer.keep = True


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def archive(
    directory: Path, *urls: str, code: int = 0, options: tuple[str, ...] = (), name: str = "a"
) -> list[dict[str, Any]]:
    """The rows of a run over these URLs that archives into `a.warc.gz`, in their order."""
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))
    output = directory / "rows.jsonl"
    output.unlink(missing_ok=True)
    fixed = ("urls.txt", "-o", output.name, "--warc", f"{name}.warc.gz", "--retry", "0", "--per-host", "0")
    done = fetchpool(*fixed, *options, cwd=directory)
    assert done.returncode == code, done.stderr
    assert not list(directory.glob(f"{PREFIX}*"))
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    return sorted(rows, key=lambda row: int(row["urlnum"]))


def records(*paths: Path) -> list[dict[str, Any]]:
    """Every record, as warcio reads it: its WARC headers, its HTTP head, its body as it came and decoded."""
    found = []
    for path in paths:
        with pytest.raises(SystemExit) as checked:
            warcio(["check", str(path)])
        assert checked.value.code == 0, f"warcio check {path}"
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                about = dict(record.rec_headers.headers)
                head = record.http_headers
                found.append(
                    {
                        **about,
                        "type": record.rec_type,
                        "uri": about.get("WARC-Target-URI"),
                        "status": head.get_statuscode() if head and record.rec_type == "response" else None,
                        "head": head,
                        "content": record.content_stream().read(),
                    }
                )
    return found


def of_type(kind: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in found if record["type"] == kind]


@in_every_way
def test_every_hop_has_its_request_and_its_response_as_they_were(
    demo_server: DemoServer, tmp_path: Path, way: Way
) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport)
    paths = ["/bytes/5000", "/gzip/9000", "/redirect/2", "/status/404", "/bytes/700000", "/bytes/0"]
    archive(tmp_path, *[demo_server.url(path) for path in paths], code=1, options=ways)
    found = records(tmp_path / "a.warc.gz")
    assert found[0]["type"] == "warcinfo"
    assert not of_type("metadata", found)
    requests = {record["WARC-Record-ID"]: record for record in of_type("request", found)}
    responses = {record["uri"]: record for record in of_type("response", found)}
    hops = ["/redirect/1", "/bytes/1024"]
    assert set(responses) == {demo_server.url(path) for path in [*paths, *hops]}
    assert len(requests) == len(responses) == 8
    for uri, response in responses.items():
        request = requests[response["WARC-Concurrent-To"]]
        assert (request["uri"], request["head"].protocol) == (uri, "GET")
        assert response["WARC-IP-Address"] == "127.0.0.1"
        assert "WARC-Truncated" not in response
    bodies = [responses[demo_server.url(path)] for path in [*paths, *hops]]
    assert [each["status"] for each in bodies] == ["200", "200", "302", "404", "200", "200", "302", "200"]
    assert [bodies[place]["content"] for place in (0, 1, 4, 5, 7)] == [
        content(5000),
        text(9000),
        content(700_000),
        b"",
        content(1024),
    ]
    assert bodies[1]["head"].get_header("Content-Encoding") == "gzip"


@over_each_transport
def test_headers_are_as_received_and_chunks_are_put_back(
    faults: FaultServer, tmp_path: Path, way: Way
) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport)
    archive(tmp_path, faults.url("odd-head"), faults.url("in-chunks"), options=ways)
    data = gzip.decompress((tmp_path / "a.warc.gz").read_bytes())
    assert HEAD + b"hello\r\n\r\n" in data
    chunked = next(r for r in of_type("response", records(tmp_path / "a.warc.gz")) if "chunks" in r["uri"])
    assert chunked["head"].get_header("Transfer-Encoding") == "chunked"
    assert chunked["content"] == b"".join(CHUNKS)


class Replay(BaseHTTPRequestHandler):
    """Answers with the bytes of the archive."""

    blocks: dict[str, bytes] = {}

    def do_GET(self) -> None:
        self.wfile.write(self.blocks.get(self.path, b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"))

    def log_message(self, *_: object) -> None:
        return


def test_an_archive_can_be_replayed(demo_server: DemoServer, faults: FaultServer, tmp_path: Path) -> None:
    paths = ["/bytes/5000", "/gzip/9000", "/page/7", "/status/404", "/redirect/2"]
    hashed = ("--hash", "sha256")
    urls = [*[demo_server.url(path) for path in paths], faults.url("in-chunks"), faults.url("odd-head")]
    before = archive(tmp_path, *urls, code=1, options=hashed)
    with (tmp_path / "a.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream, no_record_parse=True):
            if record.rec_type == "response":
                uri = record.rec_headers.get_header("WARC-Target-URI")
                Replay.blocks["/" + uri.split("/", 3)[3]] = record.raw_stream.read()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Replay)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        again = [f"http://127.0.0.1:{server.server_port}/{url.split('/', 3)[3]}" for url in urls]
        # The redirect's absolute hop leads to the demo server itself, which says the same.
        after = archive(tmp_path, *again, code=1, options=hashed, name="b")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    same = (
        "response_code",
        "size_download",
        "size_delivered",
        "content_type",
        "num_redirects",
        "error",
        "sha256",
    )
    for old, new in zip(before, after, strict=True):
        assert {name: old.get(name) for name in same} == {name: new.get(name) for name in same}


@over_each_transport
def test_failures_have_metadata_and_the_received_part(faults: FaultServer, tmp_path: Path, way: Way) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport, "--max-filesize", "100k")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        unreachable = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        names = ["short-body", "endless-body", "empty", "gzip-cut", "huge-length"]
        urls = [*[faults.url(name) for name in names], unreachable, "http://[::1"]
        rows = archive(tmp_path, *urls, code=1, options=ways)
    found = records(tmp_path / "a.warc.gz")
    said = [record["content"].decode() for record in of_type("metadata", found)]
    for row in rows:
        assert any(f"url: {row['url']}\r\nerror: {row['error']}\r\n" in each for each in said), row
    truncated = {
        record["uri"].rpartition("/")[2]: record.get("WARC-Truncated")
        for record in of_type("response", found)
    }
    assert truncated == {
        "short-body": "disconnect",
        "endless-body": "length",
        "gzip-cut": None,  # the server sent an incomplete body
        "huge-length": "length",
    }
    asked = {record["uri"] for record in of_type("request", found)}
    assert asked == {faults.url(name) for name in names}


@over_each_transport
@pytest.mark.parametrize(
    "path", ["framed-identity", "framed-identity-packed", "framed-chunked-twice", "part-206"]
)
def test_complete_responses_are_not_marked_as_truncated(
    faults: FaultServer, tmp_path: Path, way: Way, path: str
) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport)
    [row] = archive(tmp_path, faults.url(path), code=int(path == "part-206"), options=ways)
    [response] = [each for each in records(tmp_path / "a.warc.gz") if each["type"] == "response"]
    assert "WARC-Truncated" not in response
    assert row["size_download"] > 0


@over_each_transport
def test_28_no_secret_stands_in_a_request_record(demo_server: DemoServer, tmp_path: Path, way: Way) -> None:
    """Authorization, Proxy-Authorization and cookies are redacted; everything else that was sent is there."""
    ways = ("--executor", way.executor, "--transport", way.transport)
    secret = ("-u", "name:hunter2", "-H", "Cookie: sid=hunter2", "-H", "proxy-authorization: hunter2")
    url = demo_server.url("/bytes/10").replace("http://", "http://me:hunter2@")
    archive(tmp_path, url, demo_server.url("/bytes/11"), options=(*ways, *secret, "-H", "X-Mine: shown"))
    assert b"hunter2" not in gzip.decompress((tmp_path / "a.warc.gz").read_bytes())
    for request in of_type("request", records(tmp_path / "a.warc.gz")):
        head = request["head"]
        assert [head.get_header(name) for name in ("Authorization", "Cookie", "X-Mine")] == [
            "***",
            "***",
            "shown",
        ]
        assert head.get_header("Host") == demo_server.url("").split("/")[2]


def test_past_its_size_the_archive_goes_on_in_the_next_file(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "b-00009.warc.gz").write_bytes(b"not one of these")
    urls = [demo_server.url(f"/page/{number}") for number in range(60)]
    for half in (urls[:30], urls[30:]):
        archive(tmp_path, *half, options=("--warc-max-size", "8k"))
    files = sorted(tmp_path.glob("a*.warc.gz"))
    assert len(files) > 3
    assert [path.name for path in files[:-1]] == [f"a-{n:05}.warc.gz" for n in range(1, len(files))]
    assert all(8192 <= path.stat().st_size < 8192 + 6000 for path in [files[-1], *files[:-2]])
    found = records(*files)
    assert sorted(record["uri"] for record in of_type("response", found)) == sorted(urls)
    assert len(of_type("warcinfo", found)) == len(files)


def test_a_truncated_record_at_the_end_is_removed_and_nothing_else(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.warc.gz"
    archive(tmp_path, demo_server.url("/page/1"), demo_server.url("/gzip/50000"))
    complete = path.read_bytes()
    ends = [0]
    with path.open("rb") as stream:
        each = ArchiveIterator(stream)
        for _ in each:
            each.read_to_end()
            ends.append(each.get_record_offset() + each.get_record_length())
    assert (len(ends), ends[-1]) == (6, len(complete))
    scratch = tmp_path / "truncated"
    for size in {
        *range(0, len(complete), 31),
        *ends,
        *(end - 1 for end in ends[1:]),
        *(end + 1 for end in ends[:-1]),
    }:
        scratch.write_bytes(complete[:size])
        with scratch.open("rb") as truncated:
            assert end_of_last_record(truncated.fileno(), size) == max(end for end in ends if end <= size)
    for size in (5, ends[2] - 1, len(complete) - 1):
        path.write_bytes(complete[:size])
        archive(tmp_path, demo_server.url("/bytes/9"))
        assert path.read_bytes().startswith(complete[: max(end for end in ends if end <= size)])
        assert of_type("response", records(path))[-1]["content"] == content(9)


def test_a_body_that_contains_records_is_one_record(tmp_path: Path) -> None:
    """A truncated record may contain a compressed archive, byte for byte: all of it is removed."""
    inner = gzip.compress(b"WARC/1.1\r\nWARC-Type: resource\r\n\r\n\r\n\r\n", mtime=0)
    outer = gzip.compress(b"WARC/1.1\r\nWARC-Type: response\r\n\r\n" + inner + b"\r\n" * 50, 0, mtime=0)
    first = gzip.compress(b"WARC/1.1\r\nWARC-Type: warcinfo\r\n\r\n\r\n\r\n", mtime=0)
    cut = outer.index(inner) + len(inner) + 5
    (tmp_path / "truncated").write_bytes(first + outer[:cut])
    with (tmp_path / "truncated").open("rb") as truncated:
        assert end_of_last_record(truncated.fileno(), len(first) + cut) == len(first)


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_40_no_row_without_an_error_outlives_its_record(
    demo_server: DemoServer, tmp_path: Path, executor: str
) -> None:
    """`kill -9` at any moment: every row that stands in the output has its record in the archive."""
    (tmp_path / "urls.txt").write_text("".join(f"{demo_server.url(f'/bytes/{n}')}\n" for n in range(20_000)))
    path, output = tmp_path / "a.warc.gz", tmp_path / "rows.jsonl"
    options = (
        "urls.txt",
        "-o",
        output.name,
        "--warc",
        path.name,
        "--per-host",
        "0",
        "--executor",
        executor,
        "-q",
    )
    with start(*options, cwd=tmp_path) as killed:
        while not output.exists() or output.stat().st_size < 50_000:
            assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
    with path.open("rb") as truncated:
        end = end_of_last_record(truncated.fileno(), path.stat().st_size)
    path.write_bytes(path.read_bytes()[:end])
    lines = output.read_bytes().split(b"\n")[:-1]
    archived = {record["uri"] for record in of_type("response", records(path))}
    assert len(lines) > 20
    assert {json.loads(line)["url_effective"] for line in lines} <= archived
    archive(tmp_path, demo_server.url("/bytes/9"))  # and what the killed run left is cleared away


def test_a_second_run_with_the_same_archive_is_refused_in_words(faults: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"{faults.url('trickle')}\n")
    options = ("urls.txt", "--warc", "a.warc.gz", "--max-time", "20s", "-q")
    with start(*options, cwd=tmp_path) as first:
        while not list(tmp_path.glob(f"{PREFIX}*")):
            assert first.poll() is None
        second = fetchpool(*options, cwd=tmp_path)
        first.send_signal(signal.SIGKILL)
    assert second.returncode == 2
    assert "another run is writing to it; wait for it, or name another file" in second.stderr


@pytest.mark.parametrize(
    "content",
    [b"precious", b"\x1f\x8bprecious", gzip.compress(b"some other gzip", mtime=0)],
    ids=["text", "no gzip", "other gzip"],
)
def test_a_file_of_something_else_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:1/\n")
    (tmp_path / "a.warc.gz").write_bytes(content)
    done = fetchpool("urls.txt", "--warc", "a.warc.gz", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "a.warc.gz").read_bytes()) == (2, content)
    assert "is not a compressed WARC; name another file" in done.stderr


def test_an_invalid_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:1/\n")
    refused = fetchpool("urls.txt", "--warc", "a.warc", cwd=tmp_path)
    assert (refused.returncode, "the file name must end in .warc.gz" in refused.stderr) == (2, True)
    refused = fetchpool("urls.txt", "--warc", "no/such/a.warc.gz", cwd=tmp_path)
    assert (refused.returncode, "mkdir -p 'no/such'" in refused.stderr) == (2, True)


@pytest.mark.parametrize("space", [2_000, 300_000])
def test_43_a_full_disk_ends_the_run_with_exit_code_3_and_complete_records(
    demo_server: DemoServer, tmp_path: Path, space: int
) -> None:
    """Whether the archive is full, or the disk where its bodies wait."""
    (tmp_path / "urls.txt").write_text(f"{demo_server.url('/bytes/1')}\n{demo_server.url('/page/5')}\n")
    with (tmp_path / "urls.txt").open("a") as listed:
        listed.writelines(f"{demo_server.url(f'/bytes/{size}')}\n" for size in range(300_000, 300_060))
    done = run(
        [*FETCHPOOL, "urls.txt", "--warc", "a.warc.gz", "-w", "1"],
        cwd=tmp_path,
        env=environment(UNCOMPILED),
        capture_output=True,
        text=True,
        limits={resource.RLIMIT_FSIZE: (space, space)},
    )
    assert done.returncode == 3, done.stderr
    assert "File too large; free some space, or choose another --warc" in done.stderr
    assert of_type("warcinfo", records(tmp_path / "a.warc.gz"))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says how much memory there was")
def test_memory_does_not_grow_with_the_body(demo_server: DemoServer, tmp_path: Path) -> None:
    def peak(body: int) -> int:
        (tmp_path / "urls.txt").write_text(f"{demo_server.url(f'/bytes/{body}')}\n")
        return peak_memory("urls.txt", "-o", f"{body}.txt", "--warc", "a.warc.gz", "-q", cwd=tmp_path)

    assert peak(100_000_000) - peak(1_000_000) < 25_000_000


def test_an_answer_over_http2_has_a_head_that_readers_know(tmp_path: Path) -> None:
    exchange = Exchange(FetchOptions(warc_spool=str(tmp_path)))
    steps = exchange.steps(url_parser.request(0, "https://example.org/"))
    hop = next(steps)
    head = ResponseHead(200, "2", Headers([b"content-type: text/plain\r\n"]), b"HTTP/2 200 \r\n")
    assert hop.receiver.on_head(head)
    assert hop.receiver.feed(b"over two")
    with pytest.raises(StopIteration) as stopped:
        steps.send(HopResult(None, "192.0.2.1", 0.0, 0.1, 0.2, 0.3, 0.4))
    outcome: Outcome = stopped.value.value
    sent, response = (record for record in ArchiveIterator(io.BytesIO(outcome.warc_records)))
    assert (sent.rec_type, response.rec_type) == ("request", "response")
    assert response.http_headers.protocol == "HTTP/1.1"
    assert response.http_headers.get_statuscode() == "200"
    assert response.rec_headers.get_header("WARC-Protocol") == "h2"
