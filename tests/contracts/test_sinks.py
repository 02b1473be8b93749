"""The contract of every sink: complete rows, appended, whatever the rows, the disk or another run do.

A new sink is finished when it passes: give it a `Kind` below.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from fetchpool.config.outputs import refuse_same_file
from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import Record
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.open import open_sink
from tests.cli import runner
from tests.cli.environment import UNCOMPILED, environment
from tests.factories import record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="/dev/full, resource limits, uids")


class Kind(Struct, frozen=True):
    """A sink under test: what its files are called, and how a program reads them back."""

    suffix: str
    rows: Callable[[Path], list[dict[str, Any]]]
    """Rows, each with its `url` at least; raises when something in the file isn't a row."""


class LineKind(Kind, frozen=True):
    """One that writes lines."""

    read: Callable[[bytes], list[dict[str, Any]]]
    """The same, out of bytes."""


def read_text(data: bytes) -> list[dict[str, Any]]:
    rows = []
    for line in data.decode().removesuffix("\n").split("\n"):
        if line:
            row = re.fullmatch(r"url:<(.*)> (size|error):\[(\w*)\]", line)
            assert row, line
            rows.append({"url": row[1], row[2]: row[3]})
    return rows


def read_jsonl(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.decode().removesuffix("\n").split("\n") if line]


def read_csv(data: bytes) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    for row in rows:
        assert None not in row, "more cells than columns"
        assert None not in row.values(), "fewer cells than columns"
        assert row["urlnum"] != "urlnum", "a second header"
    return rows


def lines(suffix: str, read: Callable[[bytes], list[dict[str, Any]]]) -> LineKind:
    def rows(path: Path) -> list[dict[str, Any]]:
        data = path.read_bytes()
        assert data.endswith(b"\n") or not data
        return read(data)

    return LineKind(suffix, rows, read)


def sqlite_rows(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [dict(row) for row in database.execute("SELECT * FROM fetches ORDER BY rowid")]


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of complete parts, followed by those that wait to become a part."""
    rows = [
        row for part in sorted(path.glob("part-*.parquet")) for row in parquet.read_table(part).to_pylist()
    ]
    waiting = [line for each in path.glob("_part-*.jsonl") for line in each.read_text().split("\n")[1:-1]]
    return rows + [json.loads(line) for line in waiting]


LINE_KINDS = [lines(".txt", read_text), lines(".jsonl", read_jsonl), lines(".csv", read_csv)]
FILE_KINDS = [*LINE_KINDS, Kind(".sqlite", sqlite_rows)]
KINDS = [*FILE_KINDS, Kind(".parquet", parquet_rows)]


def named(kind: Kind) -> str:
    return kind.suffix[1:]


@pytest.fixture(params=KINDS, ids=named)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def path(tmp_path: Path, kind: Kind) -> Path:
    return tmp_path / f"rows{kind.suffix}"


of_lines = pytest.mark.parametrize("kind", LINE_KINDS, ids=named)
"""What only sinks of lines promise: they write to pipes, append to each other's files, and no more."""
of_files = pytest.mark.parametrize("kind", FILE_KINDS, ids=named)
"""What a directory is not asked for."""


def clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def append(path: Path, records: Sequence[Record]) -> None:
    sink = open_sink(str(path))
    sink.write(records)
    sink.close()


def urls_in(path: Path, kind: Kind) -> list[str]:
    return [row["url"] for row in kind.rows(path)]


def start(script: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The script in a process of its own, with `record` and what a sink needs at hand."""
    return runner.popen(
        [sys.executable, "-c", PREAMBLE + script, *arguments],
        env=environment(UNCOMPILED),
        text=True,
        stderr=subprocess.PIPE,
        **options,
    )


def run(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The script, to its end."""
    with start(script, *arguments, **options) as process:
        stdout, stderr = process.communicate(timeout=50)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


PREAMBLE = """
import os, resource, sys
from fetchpool.model.errors import FetchpoolError, OutputClosedError, OutputError
from fetchpool.sinks.open import open_sink
from fetchpool.config.outputs import refuse_same_file
from tests.factories import record
"""


def test_flush_makes_complete_rows_readable_by_others(path: Path, kind: Kind) -> None:
    sink = open_sink(str(path))
    assert sink.name == str(path)
    sink.write([record(0), record(1)])
    sink.flush()
    assert urls_in(path, kind) == ["http://example.org/0", "http://example.org/1"]
    sink.write([record(2)])
    sink.close()
    assert len(urls_in(path, kind)) == 3
    sink.close()
    assert len(urls_in(path, kind)) == 3


def test_a_second_run_appends(path: Path, kind: Kind) -> None:
    append(path, [record(0)])
    first = kind.rows(path)
    append(path, [record(1, error="timeout_total", size_delivered=None)])
    append(path, [])
    assert kind.rows(path)[:1] == first
    assert urls_in(path, kind) == ["http://example.org/0", "http://example.org/1"]


def test_an_empty_run_leaves_a_file_that_the_next_one_appends_to(path: Path, kind: Kind) -> None:
    append(path, [])
    assert urls_in(path, kind) == []
    append(path, [record(0)])
    assert urls_in(path, kind) == ["http://example.org/0"]


def test_rows_are_not_held_without_bound(path: Path, kind: Kind) -> None:
    sink = open_sink(str(path))
    for start in range(0, 6000, 500):
        sink.write([record(start + each, f"http://h/{'x' * 300}/{start + each}") for each in range(500)])
    assert len(urls_in(path, kind)) >= 3000
    sink.close()
    assert len(urls_in(path, kind)) == 6000


def test_unicode_is_kept_as_it_is(path: Path, kind: Kind) -> None:
    urls = [
        "http://bücher.example/東京?q=🙂",
        "http://h/[/foo]",
        'http://h/"quoted",comma',
        "http://h/a> size:[1]",
    ]
    append(path, [record(number, url, extra={"title": "Füße 🙂"}) for number, url in enumerate(urls)])
    assert urls_in(path, kind) == urls


# Rows arrive clean; that a row is one line doesn't hang on it.
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.text(max_size=20))
@example("http://h/\r\nurl:<forged> size:[1]\n", "\x1b[31m\n=cmd")
@example("\x00\x85\u2028", "\x00\x85\u2028")
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_record_is_one_row_with_any_content(tmp_path: Path, kind: Kind, url: str, title: str) -> None:
    path = tmp_path / f"rows{kind.suffix}"
    clear(path)
    append(
        path,
        [
            record(
                0,
                f"http:{url}",
                extra={"title": escape_invisible(title), "list": [title.encode().hex(), None]},
            )
        ],
    )
    append(path, [record(1)])
    assert len(urls_in(path, kind)) == 2
    if isinstance(kind, LineKind):
        lines = path.read_bytes().split(b"\n")
        assert len(lines) - path.read_bytes().startswith(b"urlnum") == 3
        assert not set(path.read_bytes()) & (set(range(32)) - {10})


@of_lines
def test_an_incomplete_last_row_is_removed_and_nothing_else(path: Path, kind: LineKind) -> None:
    append(path, [record(0)])
    one = path.read_bytes()
    append(path, [record(1)])
    two = path.read_bytes()
    for size in {*range(1, len(two), 9), len(one) - 1, len(one), len(one) + 1, len(two) - 1}:
        path.write_bytes(two[:size])
        append(path, [])
        kept = path.read_bytes()
        if size >= len(one):
            assert kept == one
        else:
            assert (
                len(kept) <= size or len(kept) == one.index(b"\n") + 1
            )  # a truncated header was written again
            assert urls_in(path, kind) == []
    path.write_bytes(two[:-5])
    append(path, [record(2)])
    assert urls_in(path, kind) == ["http://example.org/0", "http://example.org/2"]


@of_lines
def test_a_long_incomplete_row_is_removed(path: Path) -> None:
    append(path, [record(0)])
    one = path.read_bytes()
    append(path, [record(1, "http://h/" + "x" * 200_000)])
    path.write_bytes(path.read_bytes()[:-150])
    append(path, [])
    assert path.read_bytes() == one


@of_lines
def test_an_incomplete_row_that_another_run_left_meanwhile_is_removed(path: Path, kind: LineKind) -> None:
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.flush()
    one = path.read_bytes()
    with path.open("ab") as other:
        other.write(one.splitlines()[-1][:-3])  # and there it was killed
    sink.write([record(1)])
    sink.close()
    assert urls_in(path, kind) == ["http://example.org/0", "http://example.org/1"]


FOREIGN = {
    "a list of URLs": b"http://example.org/\nhttp://example.org/2\n",
    "without a line end": b"precious",
    "an empty line": b"\n",
    "binary": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 500,
    "some JSON": b'{"url":"http://example.org/"}\n',
    "some CSV": b"url,size\nhttp://example.org/,1\n",
    "a log": b"url: http://example.org/\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_program_is_refused_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(UsageError, match=r"is not a \w+ output of fetchpool; choose another -o"):
        open_sink(str(path))
    assert path.read_bytes() == content
    assert path.stat().st_mtime == 1


@of_files
def test_the_output_of_another_format_is_refused_untouched(tmp_path: Path, path: Path, kind: Kind) -> None:
    for other in FILE_KINDS:
        theirs = tmp_path / f"theirs{other.suffix}"
        append(theirs, [record(0)])
        content = theirs.read_bytes()
        path.write_bytes(content)
        if other is kind:
            append(path, [])
        else:
            with pytest.raises(UsageError, match="choose another -o"):
                open_sink(str(path))
        assert path.read_bytes() == content


def test_an_open_that_is_refused_leaves_no_descriptor_open(path: Path) -> None:
    path.write_bytes(b"precious")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(UsageError):
        open_sink(str(path))
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("directory", "directory: is a directory; name a file in it with -o"),
        ("no/such/rows", "directory no/such does not exist; create it: mkdir -p 'no/such'"),
        ("file/rows", "can't be opened (Not a directory); choose another output with -o"),
        ("a\x00b", "can't be opened ("),
        ("x" * 300, "can't be opened (File name too long)"),
    ],
)
@of_files
def test_an_unusable_path_is_refused_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"directory{kind.suffix}").mkdir()
    Path("file").write_bytes(b"")
    with pytest.raises(UsageError) as refused:
        open_sink(f"{name}{kind.suffix}")
    assert words.replace("directory: ", f"directory{kind.suffix}: ") in str(refused.value)


@of_files
def test_a_file_without_permission_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o444)
    path.parent.chmod(0o755)
    script = """
os.chdir(sys.argv[1])
sys.path[:] = [entry for entry in sys.path if entry]
for name in ("text", "jsonl", "csv", "sqlite"):
    __import__("fetchpool.sinks." + name)
os.getuid() or os.setuid(65534)  # root may write everything
try: open_sink(sys.argv[2])
except FetchpoolError as refused: print(type(refused).__name__, refused)
"""
    done = run(script, str(path.parent), path.name, stdout=subprocess.PIPE)
    expected = f"UsageError {path.name}: permission denied; choose another output with -o\n"
    assert (done.stdout, done.stderr) == (expected, "")


@of_lines
def test_a_full_device_is_an_output_error_that_names_it(kind: LineKind, tmp_path: Path) -> None:
    link = tmp_path / f"full{kind.suffix}"
    link.symlink_to("/dev/full")
    sink = open_sink(str(link))
    sink.write([record(0)])
    with pytest.raises(OutputError) as failure:
        sink.flush()
    assert (
        str(failure.value)
        == f"{link}: No space left on device; free some space, or choose another output with -o"
    )
    sink.close()  # reported once, no second error


@of_lines
def test_a_disk_that_fills_up_mid_row_leaves_complete_rows(path: Path, kind: LineKind) -> None:
    # A limit on the file's size stands for the disk's end: the write comes back short, then fails.
    script = """
sink = open_sink(sys.argv[1])
sink.write([record(number) for number in range(10)])
sink.flush()
size = os.stat(sys.argv[1]).st_size
sink.close()
for space in (1, 50, 90, 300, 1000):
    size = os.stat(sys.argv[1]).st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + space, resource.RLIM_INFINITY))
    sink = open_sink(sys.argv[1])
    try:
        sink.write([record(1000 * space + number) for number in range(1000)])
        sink.flush()
    except OutputError as failure: print(failure, flush=True)
    sink.close()
    assert os.stat(sys.argv[1]).st_size <= size + space
"""
    done = run(script, str(path), stdout=subprocess.PIPE)
    assert done.stderr == ""
    assert done.stdout == f"{path}: can't be written: File too large\n" * 5
    numbers = [int(url.rpartition("/")[2]) for url in urls_in(path, kind)]
    assert numbers[:10] == list(range(10))
    assert 10 < len(numbers) < 100
    assert len(set(numbers)) == len(numbers)
    for space in (50, 90, 300, 1000):  # of each batch, its first rows
        ours = [number for number in numbers[10:] if number // 1000 == space]
        assert ours == list(range(1000 * space, 1000 * space + len(ours)))
    append(path, [record(7)])
    assert len(urls_in(path, kind)) == len(numbers) + 1


@of_files
def test_two_runs_append_to_one_file_at_once(path: Path, kind: Kind) -> None:
    script = """
first = int(sys.argv[2])
sink = open_sink(sys.argv[1])
for number in range(first, first + 600, 3):
    if number % 150 == 0:
        print("ready", flush=True)
        sys.stdin.readline()
    batch = range(number, number + 3)
    sink.write([record(each, "http://h/" + str(each) + "x" * (each % 7000)) for each in batch])
    sink.flush()
sink.close()
"""
    runs = [
        start(script, str(path), first, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for first in ("1050", "2100")
    ]
    for _ in range(4):  # they meet four times, so neither is done before the other begins
        for each in runs:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in runs:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
    assert [each.communicate(timeout=50)[1] for each in runs] == ["", ""]
    numbers = [int(url.removeprefix("http://h/").rstrip("x")) for url in urls_in(path, kind)]
    assert sorted(numbers) == [*range(1050, 1650), *range(2100, 2700)]


STDOUT = """
sink = open_sink("-", sys.argv[1])
try:
    for number in range(int(sys.argv[2])):
        sink.write([record(number)])
        sink.flush()
    sink.close()
except OutputClosedError as failure:
    sink.close()
    print(sink.name, "|", failure, file=sys.stderr)
    sys.exit(9)
"""


def format_of(kind: Kind) -> str:
    return "text" if kind.suffix == ".txt" else kind.suffix[1:]


@of_lines
def test_standard_output_takes_rows_and_a_header(kind: LineKind) -> None:
    done = run(STDOUT, format_of(kind), "3", stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(kind.read(done.stdout.encode())) == 3


@of_lines
def test_a_closed_standard_output_is_not_a_failure(kind: LineKind) -> None:
    end, other = os.pipe()
    os.close(end)
    done = run(STDOUT, format_of(kind), "100000", stdout=other)
    os.close(other)
    assert done.stderr == "standard output | standard output was closed by its reader\n"
    assert done.returncode == 9


@of_lines
def test_standard_output_into_a_file_appends_and_has_one_header(path: Path, kind: LineKind) -> None:
    for _ in range(2):
        with path.open("ab") as stdout:
            assert run(STDOUT, format_of(kind), "3", stdout=stdout).returncode == 0
    assert len(urls_in(path, kind)) == 6


@of_lines
def test_a_non_blocking_standard_output_is_waited_for(kind: LineKind) -> None:
    end, other = os.pipe()
    os.set_blocking(other, False)
    script = STDOUT.replace("record(number)", 'record(number, "http://h/" + "x" * 100_000)')
    process = start(script, format_of(kind), "3", stdout=other)
    os.close(other)
    with open(end, "rb") as reader:  # noqa: PTH123  a descriptor
        assert len(kind.read(reader.read())) == 3
    assert process.communicate(timeout=20)[1] == ""


@of_lines
def test_a_closed_standard_output_is_refused(kind: LineKind) -> None:
    script = """
try: open_sink("-", sys.argv[1])
except FetchpoolError as refused: print(type(refused).__name__, refused, file=sys.stderr)
"""
    done = run(
        "import os; os.close(1); os.execv(sys.executable, sys.argv[1:])",
        *[sys.executable, "-c", PREAMBLE + script, format_of(kind)],
    )
    assert done.stderr == "UsageError standard output is closed; name a file with -o\n"


@of_lines
def test_a_named_pipe_takes_rows(tmp_path: Path, kind: LineKind) -> None:
    pipe = tmp_path / f"pipe{kind.suffix}"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        append(pipe, [record(0), record(1)])
        assert len(kind.read(reader.communicate(timeout=20)[0])) == 2


def read_back(path: Path) -> list[tuple[str, str | None] | None]:
    sink = open_sink(str(path))
    rows = [row and (row.url, row.error) for batch in sink.stored_rows() for row in batch]
    sink.close()
    return rows


# As rows have them: clean. What a spreadsheet would run is spelled otherwise in CSV, and read back the same.
@given(st.lists(st.tuples(st.text(max_size=20), st.sampled_from([None, "dns", "http_404"])), max_size=5))
@example([("'=x", None), ("''@x", "dns"), ("=x", None), ("'x", None), ("'", None), ("", "dns")])
@example([("http://h/> size:[1]", "dns"), ("http://h/> error:[dns]", None), ('http://h/","extra":{', None)])
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_written_rows_are_read_back(
    tmp_path: Path, kind: Kind, written: list[tuple[str, str | None]]
) -> None:
    path = tmp_path / f"rows{kind.suffix}"
    clear(path)
    shown = [(escape_invisible(url), error) for url, error in written]
    rows = list({fingerprint.from_record_url(url): (url, error) for url, error in shown}.values())
    append(path, [replace(record(7), url=url, error=error) for url, error in rows])
    assert read_back(path) == rows


def test_rows_of_earlier_runs_are_read_back_in_order_and_in_bounded_pieces(path: Path) -> None:
    urls = [f"http://h/{'x' * (number % 900)}/{number}" for number in range(9000)]
    sink = open_sink(str(path))
    assert not sink.appends
    assert list(sink.stored_rows()) == []
    sink.write([record(number, url) for number, url in enumerate(urls)])
    sink.close()
    sink = open_sink(str(path))
    assert sink.appends
    pieces = list(sink.stored_rows())
    assert len(pieces) > 1
    assert [row.url for piece in pieces for row in piece if row] == urls
    sink.write([record(1, "http://h/after")])  # reading has not moved where rows are appended
    sink.close()
    assert read_back(path)[-1] == ("http://h/after", None)


@of_lines
def test_an_invalid_line_is_counted_and_hides_no_other(path: Path) -> None:
    append(path, [record(0), record(1, extra={"title": 'an open " quote,'}), record(2)])
    *head, first, second, third = path.read_bytes().splitlines(keepends=True)
    for damage in (
        b"\0" * 50,
        second[:-9],
        b'"' + second[:-1],
        b"\xff\xfe\r",
        b"",
        b"{}",
        b",,,,,,",
        head[0][:-1] if head else b"[]",
    ):
        path.write_bytes(b"".join([*head, first, damage, b"\n", third]))
        rows = read_back(path)
        assert rows == [("http://example.org/0", None), None, ("http://example.org/2", None)], damage


@of_lines
def test_standard_output_and_devices_cannot_be_read_back(kind: LineKind, tmp_path: Path) -> None:
    link = tmp_path / f"null{kind.suffix}"
    link.symlink_to("/dev/null")
    with pytest.raises(UsageError, match="--resume cannot read it back; name a regular file with -o"):
        open_sink(str(link)).stored_rows()
    with (tmp_path / "out").open("ab") as stdout:
        script = """
try: open_sink("-", sys.argv[1]).stored_rows()
except FetchpoolError as refused: print(refused, file=sys.stderr)
"""
        done = run(script, format_of(kind), stdout=stdout)
    assert done.stderr.startswith("standard output: --resume cannot read it back")


@of_lines
def test_rows_go_to_the_file_that_took_the_place_of_the_one_that_was_opened(
    path: Path, kind: LineKind
) -> None:
    sink = open_sink(str(path))
    sink.write([record(0)])
    sink.flush()
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)
    sink.write([record(1)])
    sink.flush()
    assert urls_in(path, kind) == ["http://example.org/0", "http://example.org/1"]
    path.unlink()
    sink.write([record(2)])
    sink.close()
    assert urls_in(path, kind) == ["http://example.org/2"]


@of_lines
def test_a_foreign_file_that_took_the_place_is_left_untouched(path: Path) -> None:
    sink = open_sink(str(path))
    path.with_suffix(".new").write_bytes(b"precious\n")
    path.with_suffix(".new").replace(path)
    sink.write([record(0)])
    with pytest.raises(
        OutputError, match=r"replaced by another file during the run: .* is not a \w+ output of fetchpool"
    ):
        sink.flush()
    sink.close()
    assert path.read_bytes() == b"precious\n"


def test_a_closed_sink_writes_nothing_more(path: Path, kind: Kind) -> None:
    sink = open_sink(str(path))
    sink.close()
    sink.write([record(0)])
    with pytest.raises(OutputError, match="is closed"):
        sink.flush()
    assert urls_in(path, kind) == []


def test_an_input_is_never_an_output_under_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("urls.txt").write_bytes(b"http://a/\n")
    Path("link.txt").symlink_to("urls.txt")
    Path("hard.txt").hardlink_to("urls.txt")
    refuse_same_file(["urls.txt", "missing", "/dev/null", "-"], ["sizes.txt", "missing", "/dev/null", "-"])
    for output in ("urls.txt", "./urls.txt", str(tmp_path / "urls.txt"), "link.txt", "hard.txt"):
        with pytest.raises(UsageError, match=r"is also the input urls\.txt; choose another output with -o"):
            refuse_same_file(["other.txt", "urls.txt"], ["sizes.txt", output])


def test_standard_input_and_output_may_not_be_one_file(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_bytes(b"http://a/\n")
    script = """
try: refuse_same_file(["-"], ["-"])
except FetchpoolError as refused: print(refused, file=sys.stderr)
"""
    with path.open("rb") as stdin, path.open("ab") as stdout:
        done = run(script, stdin=stdin, stdout=stdout)
    assert done.stderr == "standard output is also the input -; choose another output with -o\n"


def test_only_the_chosen_adapter_is_imported() -> None:
    script = """
import sys
from fetchpool.sinks.open import open_sink
open_sink("/dev/null", "text")
print(sorted(name for name in sys.modules if name.startswith("fetchpool.sinks.")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "fetchpool.sinks.text" in done.stdout
    assert not [name for name in ("csv", "jsonl", "sqlite") if name in done.stdout]


def test_an_unknown_format_is_refused_with_the_list_of_formats() -> None:
    with pytest.raises(
        UsageError, match="no format 'xml'; expected one of text, jsonl, csv, tsv, sqlite, parquet"
    ):
        open_sink("/dev/null", "xml")
