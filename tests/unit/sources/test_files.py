"""Sources of URLs: files, gzip, pipes, standard input and iterables, through the `Source` interface."""

from __future__ import annotations

import gzip
import os
import select
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from fetchpool.model.errors import InputError, UsageError
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.sources.base import Source
from fetchpool.sources.files import FileSource
from fetchpool.sources.input_file import CHUNK
from fetchpool.sources.iterable import IterableSource
from tests.cli import runner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and /dev/fd")


class Consumer:
    """Take from a source as the engine does: when notified that there may be something."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._notified = threading.Event()
        source.start(self._notified.set)

    def take(self, limit: int) -> list[FetchRequest]:
        """At least one request, unless the source has ended."""
        while True:
            self._notified.clear()
            requests = self.source.take(limit)
            if requests or self.source.exhausted:
                return requests
            assert self._notified.wait(20), "the source never reported that there is a URL"

    def rest(self, limit: int = 100) -> list[FetchRequest]:
        requests: list[FetchRequest] = []
        while not self.source.exhausted:
            requests += self.take(limit)
        return requests


def urls_of(source: Source) -> list[str]:
    requests = Consumer(source).rest()
    assert [each.urlnum for each in requests] == list(range(len(requests)))
    return [each.url for each in requests]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_several_inputs_are_read_in_order_and_their_urls_counted_through(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", b"\xef\xbb\xbf# list\nhttp://a/1\r\n\r\nhttp://a/2")
    second = write(tmp_path / "b.txt.gz", gzip.compress(b"\xef\xbb\xbfhttp://b/1\n"))
    third = write(tmp_path / "c.txt", b"http://c/1\n")
    assert urls_of(FileSource([first, second, third])) == [
        "http://a/1",
        "http://a/2",
        "http://b/1",
        "http://c/1",
    ]


def test_a_line_becomes_the_request_for_its_url(tmp_path: Path) -> None:
    source = FileSource([write(tmp_path / "a.txt", b"user:secret@h/x\nhttp://[::1\nftp://h/\n")])
    good, invalid, unsupported = Consumer(source).rest()
    assert (good.url, good.href, good.credentials) == ("user:secret@h/x", "http://h/x", "user:secret")
    assert invalid.error is FailureKind.INVALID_URL
    assert unsupported.error is FailureKind.UNSUPPORTED_SCHEME


@pytest.mark.parametrize("data", [b"", b"\n\n# nothing\n", b"\xef\xbb\xbf"])
def test_an_empty_list_is_exhausted_and_no_failure(tmp_path: Path, data: bytes) -> None:
    source = FileSource([write(tmp_path / "a.txt", data)])
    assert urls_of(source) == []
    assert (source.bytes_read, source.failure) == (len(data), None)


def test_no_more_requests_are_taken_than_requested(tmp_path: Path) -> None:
    consumer = Consumer(FileSource([write(tmp_path / "a.txt", b"http://a/\n" * 10)]))
    assert [len(consumer.take(3)) for _ in range(3)] == [3, 3, 3]
    assert not consumer.source.exhausted
    assert [each.urlnum for each in consumer.take(3)] == [9]
    assert consumer.rest() == []


def test_bytes_read_is_the_offset_of_the_requests_taken(tmp_path: Path) -> None:
    data = b"".join(b"http://a/%04d\n" % number for number in range(1000))
    source = FileSource([write(tmp_path / "a.txt", data), write(tmp_path / "b.txt", data)])
    consumer = Consumer(source)
    assert source.bytes_total == 2 * len(data)
    consumer.take(100)
    assert source.bytes_read == len(data) // 10
    while len(consumer.take(100)) and source.bytes_read < len(data):
        pass
    assert source.bytes_read == len(data)
    consumer.rest()
    assert source.bytes_read == source.bytes_total


def test_bytes_of_a_gzip_file_are_counted_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    data = gzip.compress(b"".join(b"http://a/%s\n" % os.urandom(8).hex().encode() for _ in range(50_000)))
    source = FileSource([write(tmp_path / "a.gz", data)])
    assert source.bytes_total == len(data)
    consumer = Consumer(source)
    taken = 0
    while taken < 25_000:
        taken += len(consumer.take(1000))
    assert 0.4 < source.bytes_read / len(data) < 0.6
    assert taken + len(consumer.rest(1000)) == 50_000
    assert source.bytes_read == len(data)


def test_gzip_is_recognized_by_its_first_bytes_under_any_name(tmp_path: Path) -> None:
    members = (
        gzip.compress(b"http://a/1\nhttp://a") + gzip.compress(b"/2\n") + b"\0" * 512 + gzip.compress(b"")
    )
    assert urls_of(FileSource([write(tmp_path / "list.txt", members)])) == ["http://a/1", "http://a/2"]


def test_a_list_that_inflates_a_thousandfold_is_read_in_bounded_batches(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(packer.compress(b"http://a/\n" * 100_000) for _ in range(5)) + packer.flush()
    source = FileSource([write(tmp_path / "a.gz", data)])
    assert len(data) < 10_000
    assert len(Consumer(source).rest(10_000)) == 500_000


@pytest.mark.parametrize("kept", [5, 30, 2000])
def test_a_truncated_gzip_gives_its_readable_part_and_the_next_input_is_read(
    tmp_path: Path, kept: int
) -> None:
    lines = [f"http://a/{os.urandom(8).hex()}" for _ in range(1000)]
    complete = gzip.compress("\n".join(lines).encode())
    cut = write(tmp_path / "cut.gz", complete[:kept])
    source = FileSource([cut, write(tmp_path / "b.txt", b"http://b/\n")])
    urls = urls_of(source)
    assert urls[-1] == "http://b/"
    assert urls[:-1] == lines[: len(urls) - 1]  # complete lines only
    assert source.failure == f"{cut}: truncated gzip data"
    assert source.bytes_read == source.bytes_total


def test_a_damaged_gzip_is_reported_and_so_is_the_next_one(tmp_path: Path) -> None:
    lines = b"".join(b"http://a/%s\n" % os.urandom(8).hex().encode() for _ in range(20_000))
    complete = bytearray(gzip.compress(lines))
    complete[-6] ^= 0xFF  # its checksum
    first = write(tmp_path / "a.gz", bytes(complete))
    second = write(tmp_path / "b.gz", gzip.compress(b"http://b/\n") + b"garbage")
    source = FileSource([first, second])
    *urls, last = urls_of(source)
    assert last == "http://b/"
    assert len(urls) > 10_000
    assert urls == lines.decode().split()[: len(urls)]
    assert source.failure is not None
    assert f"{first}: damaged gzip data" in source.failure
    assert f"{second}: damaged gzip data" in source.failure


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.txt", "no such file; check its name"),
        ("directory", "is a directory; name the files in it"),
        ("random.txt", "is binary, not a list of URLs"),
        ("plain.gz", "not a gzip file despite its suffix"),
        ("empty.gz", "not a gzip file despite its suffix"),
        ("a\x00b", "can't be opened: "),
        ("\x1b[31mred", r"\x1b[31mred: no such file"),
    ],
)
def test_an_input_that_cannot_be_read_is_refused_beforehand_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("directory").mkdir()
    write(Path("random.txt"), bytes(range(256)))
    write(Path("plain.gz"), b"http://a/\n")
    write(Path("empty.gz"), b"")
    good = write(Path("good.txt"), b"http://a/\n")
    with pytest.raises(InputError) as refused:
        FileSource([good, name])
    assert words in str(refused.value)
    assert str(refused.value).isprintable()
    assert "secret" not in str(refused.value)


def test_a_file_without_permission_is_refused_beforehand(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"http://a/\n")
    (tmp_path / "a.txt").chmod(0)
    script = (
        "import os\n"
        "from fetchpool.sources.files import FileSource\n"
        "from fetchpool.model.errors import InputError\n"
        "os.getuid() or os.setuid(65534)\n"  # root may read everything
        "try: FileSource(['a.txt'])\n"
        "except InputError as refused: print(refused)\n"
    )
    tmp_path.chmod(0o755)
    run = runner.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "a.txt: permission denied; change its mode, or run as its owner\n"


def test_a_pipe_that_stays_open_yields_its_first_line_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    consumer = Consumer(FileSource([str(pipe)]))  # before there is a writer
    with pipe.open("wb", buffering=0) as writer:
        writer.write(b"http://a/1\nhttp://a/")
        assert [each.url for each in consumer.take(100)] == ["http://a/1"]
        assert consumer.source.take(100) == []
        assert not consumer.source.exhausted
        writer.write(b"2\n")
        assert [each.url for each in consumer.take(100)] == ["http://a/2"]
    assert consumer.rest() == []
    assert consumer.source.bytes_total is None


def test_gzip_through_a_pipe_one_byte_at_a_time(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    consumer = Consumer(FileSource([str(pipe)]))
    with pipe.open("wb", buffering=0) as writer:
        for byte in gzip.compress(b"http://a/1\n") + gzip.compress(b"http://a/2\n"):
            writer.write(bytes([byte]))
    assert [each.url for each in consumer.rest()] == ["http://a/1", "http://a/2"]


def test_the_reader_stays_a_few_batches_ahead_of_the_requests_taken(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    consumer = Consumer(FileSource([str(pipe)]))
    written = 0
    with pipe.open("wb", buffering=0) as writer:
        os.set_blocking(writer.fileno(), False)
        line = b"http://a/" + b"x" * 1014 + b"\n"
        while not _is_full(writer.fileno()):  # until neither the pipe nor the reader takes more
            written += writer.write(line * 64) or 0
        assert written < 40 * CHUNK
        consumer.source.close()


def _is_full(descriptor: int) -> bool:
    """Whether a pipe stays full: its reader has stopped for good."""
    return not select.select([], [descriptor], [], 0.3)[1]


STDIN = """
import sys, threading
from fetchpool.sources.files import FileSource
source, notified = FileSource(["-"]), threading.Event()
source.start(notified.set)
print(source.bytes_total, flush=True)
while not source.exhausted:
    notified.clear()
    requests = source.take(10)
    if not requests and not source.exhausted:
        notified.wait(20)
    for each in requests:
        print(each.urlnum, each.url, flush=True)
        if each.url == "http://leave/":
            source.close()
            sys.exit(7)
print(source.failure)
"""


def start_stdin_reader(**streams: object) -> subprocess.Popen[str]:
    return runner.popen([sys.executable, "-c", STDIN], stdout=subprocess.PIPE, text=True, **streams)


def test_standard_input_is_read_line_by_line_and_a_blocked_read_keeps_no_process_alive() -> None:
    with start_stdin_reader(stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"
        process.stdin.write("http://a/\n")
        process.stdin.flush()
        assert process.stdout.readline() == "0 http://a/\n"
        process.stdin.write("http://leave/\n")
        process.stdin.flush()  # and it stays open
        assert process.wait(20) == 7


def test_a_non_blocking_standard_input_is_waited_for() -> None:
    end, writer = os.pipe()
    os.set_blocking(end, False)
    with start_stdin_reader(stdin=end) as process:
        os.close(end)
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"  # it reads by now, and there is nothing
        os.write(writer, b"http://a/\n")
        assert process.stdout.readline() == "0 http://a/\n"
        os.close(writer)
        assert process.stdout.read() == "None\n"


def test_standard_input_from_a_file_has_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"skipped\nhttp://a/\n")
    with path.open("rb", buffering=0) as stdin:
        stdin.seek(8)
        with start_stdin_reader(stdin=stdin) as process:
            assert process.communicate(timeout=20)[0] == "10\n0 http://a/\nNone\n"


def test_a_read_error_midway_gives_the_readable_part_and_is_reported() -> None:
    terminal, writer = os.openpty()  # once its other side is closed, reading is an input/output error
    os.write(writer, b"http://a/\nhttp://cut")
    with start_stdin_reader(stdin=terminal) as process:
        os.close(terminal)
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["None\n", "0 http://a/\n"]
        os.close(writer)
        assert process.stdout.read() == "standard input: can't be read: Input/output error\n"


def test_a_closed_standard_input_is_refused() -> None:
    script = (
        "from fetchpool.sources.files import FileSource\n"
        "from fetchpool.model.errors import InputError\n"
        "try: FileSource(['-'])\n"
        "except InputError as refused: print(refused)\n"
    )
    run = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "standard input: can't be read: it is closed\n"


def test_closing_stops_the_reader_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    consumer = Consumer(FileSource([write(tmp_path / "a.txt", b"http://a/\n" * 500_000)]))
    consumer.take(1)
    (reader,) = set(threading.enumerate()) - before
    consumer.source.close()
    consumer.source.close()
    reader.join(20)
    assert not reader.is_alive()


def test_an_unstarted_source_can_be_closed(tmp_path: Path) -> None:
    source = FileSource([write(tmp_path / "a.txt", b"http://a/\n")])
    before = len(list(Path("/proc/self/fd").iterdir()))
    source.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1


def test_an_iterable_is_pulled_only_as_far_as_is_taken() -> None:
    pulled: list[int] = []

    def endless() -> Iterator[str]:
        for number in range(10**9):
            pulled.append(number)
            yield f" http://a/{number}\n"

    consumer = Consumer(IterableSource(endless()))
    assert pulled == []
    taken = [*consumer.take(2), *consumer.take(1)]
    assert [each.url for each in taken] == [f"http://a/{number}" for number in range(len(taken))]
    assert len(pulled) <= 3
    consumer.source.close()


@pytest.mark.parametrize("kind", [list, tuple, set, dict.fromkeys, iter])
def test_any_iterable_is_read_to_its_end(kind: Callable[[list[str]], Iterable[str]]) -> None:
    urls = [f"http://a/{number}" for number in range(200)]
    source = IterableSource(kind(urls))
    assert sorted(each.url for each in Consumer(source).rest(64)) == sorted(urls)
    assert source.exhausted
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "fetchpool-urls"]


def test_a_caller_that_finds_no_element_is_notified_when_there_is_one() -> None:
    go_on, notified = threading.Event(), threading.Event()

    def slow() -> Iterator[str]:
        assert go_on.wait(20)
        yield "http://a/"

    source = IterableSource(slow())
    source.start(notified.set)
    assert source.take(10) == []
    assert not notified.is_set()
    go_on.set()
    assert notified.wait(20)
    assert [each.url for each in source.take(10)] == ["http://a/"]
    source.close()


def test_every_element_of_an_iterable_gets_its_request() -> None:
    source = IterableSource(["http://a/", "", "# no comment here", "b"])
    requests = Consumer(source).rest()
    assert [(each.urlnum, each.url, each.error) for each in requests] == [
        (0, "http://a/", None),
        (1, "", FailureKind.INVALID_URL),
        (2, "# no comment here", FailureKind.INVALID_URL),
        (3, "b", None),
    ]
    assert source.take(1) == []


def test_a_single_string_or_a_non_iterable_is_refused() -> None:
    with pytest.raises(UsageError, match="expected an iterable of URLs, got a single string"):
        IterableSource("http://a/")


def test_an_element_that_is_no_text_is_a_row_that_describes_it() -> None:
    elements = ["http://a/", None, float("nan"), b"http://b/", 7, 10**5000, Path("c"), "http://d/"]
    source = IterableSource(elements)  # type: ignore[arg-type]
    found = source.take(100)
    assert [each.urlnum for each in found] == list(range(len(elements)))
    assert [each.href for each in found if each.error is None] == ["http://a/", "http://d/"]
    refused = [each for each in found if each.error is not None]
    assert {(each.url, each.error) for each in refused} == {("", FailureKind.INVALID_URL)}
    assert [each.error_message for each in refused] == [
        "expected a URL as str, got None",
        "expected a URL as str, got nan",
        "expected a URL as str, got bytes (b'http://b/')",
        "expected a URL as str, got 7",
        "expected a URL as str, got an object of type int",
        "expected a URL as str, got an object of type PosixPath",
    ]


def test_an_exception_of_the_iterable_is_the_callers() -> None:
    def broken() -> Iterator[str]:
        yield "http://a/"
        raise LookupError("their own")

    source = IterableSource(broken())
    consumer = Consumer(source)
    assert len(consumer.take(10)) == 1
    with pytest.raises(LookupError, match="their own"):
        consumer.take(10)
