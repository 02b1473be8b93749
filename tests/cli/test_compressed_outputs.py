"""Compressed outputs: appended to by members, repaired after a crash, resumed."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fetchpool.history.compact import CompactResult, compact
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.sinks.file import FileSink
from fetchpool.sinks.file_ops import FileOps
from fetchpool.sinks.open import open_compression, open_sink, row_format
from fetchpool.sinks.read_back import read_rows
from tests.cli.runner import fetchpool
from tests.factories import record
from tests.faults.server import FaultServer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".zst": zstd.decompress}
NAMES = ["rows.jsonl.gz", "rows.csv.zst", "rows.txt.gz", "rows.tsv.gz", "rows.jsonl.zst"]


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    with FaultServer() as server:
        listed = [server.url(f"ok?{number}") for number in range(4)]
        (tmp_path / "urls").write_text("".join(f"{url}\n" for url in listed))
        (tmp_path / "first").write_text("".join(f"{url}\n" for url in listed[:2]))
        yield listed


def lines(path: Path) -> list[str]:
    return DECOMPRESS[path.suffix](path.read_bytes()).decode().splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_appended_resumed_and_complete(name: str, urls: list[str], tmp_path: Path) -> None:
    assert fetchpool("first", "-o", name, cwd=tmp_path).returncode == 0
    before = (tmp_path / name).read_bytes()
    done = fetchpool("urls", "-o", name, "--resume", "--summary", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stderr)
    assert (summary["done_before"], summary["outputs"][0]["rows"]) == (2, 2)
    assert (tmp_path / name).read_bytes().startswith(before)
    header = name.split(".")[1] in ("csv", "tsv")
    assert len(lines(tmp_path / name)) == header + 4
    assert sum(url in line for line in lines(tmp_path / name) for url in urls) >= 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("left", [1, 7, 30])
def test_a_truncated_member_is_removed(name: str, left: int, urls: list[str], tmp_path: Path) -> None:
    """However much of it a crash has left."""
    path = tmp_path / name
    fetchpool("first", "-o", name, cwd=tmp_path)
    complete = path.read_bytes()
    fetchpool("urls", "-o", name, "--resume", cwd=tmp_path)
    path.write_bytes(path.read_bytes()[: len(complete) + left])
    done = fetchpool("urls", "-o", name, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(complete)
    assert len(lines(path)) == (name.split(".")[1] in ("csv", "tsv")) + 4
    assert all(any(url in line for line in lines(path)) for url in urls)


def test_a_file_that_gzip_has_made_is_continued(urls: list[str], tmp_path: Path) -> None:
    fetchpool("first", "-o", "rows.jsonl", cwd=tmp_path)
    subprocess.run(["gzip", "rows.jsonl"], cwd=tmp_path, check=True)
    assert fetchpool("urls", "-o", "rows.jsonl.gz", "--resume", cwd=tmp_path).returncode == 0
    assert sorted(json.loads(line)["url"] for line in lines(tmp_path / "rows.jsonl.gz")) == sorted(urls)
    found = [
        row["url"] for rows in read_rows(str(tmp_path / "rows.jsonl.gz"), "jsonl", ["url"]) for row in rows
    ]
    assert sorted(found) == sorted(urls)


def test_a_full_disk_leaves_complete_members(tmp_path: Path) -> None:
    class Full(FileOps):
        def write(self, descriptor: int, rows: memoryview) -> int:
            if self.full:
                super().write(descriptor, rows[:9])
                raise OSError(28, "No space left on device")
            return super().write(descriptor, rows)

        full = False

    disk = Full()
    path = tmp_path / "rows.jsonl.gz"
    sink = FileSink(str(path), row_format("jsonl"), disk=disk, compression=open_compression(str(path)))
    sink.write([record(1)])
    sink.flush()
    disk.full = True
    sink.write([record(2)])
    with pytest.raises(OutputError, match="No space left"):
        sink.flush()
    assert [json.loads(line)["urlnum"] for line in lines(path)] == [1]


def test_two_sinks_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.zst"
    one, other = open_sink(str(path)), open_sink(str(path))
    for number in range(6):
        sink = (one, other)[number % 2]
        sink.write([record(number)])
        sink.flush()
    one.close()
    other.close()
    assert [line.partition(",")[0] for line in lines(path)] == ["urlnum", *map(str, range(6))]


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.csv.zst"])
def test_other_content_is_left_unchanged(name: str, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("http://127.0.0.1:9/\n")
    for content in (b"not compressed", open_compression(name).pack(b"something else\n")):  # type: ignore[union-attr]
        (tmp_path / name).write_bytes(content)
        done = fetchpool("urls", "-o", name, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "nothing in it was changed" in done.stderr
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["rows.db.gz", "rows.parquet.zst", "rows.csv.bz2"])
def test_what_can_t_be_compressed_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("http://127.0.0.1:9/\n")
    done = fetchpool("urls", "-o", name, cwd=tmp_path)
    assert done.returncode == 2
    assert "use" in done.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_compacting_keeps_the_final_rows_and_what_is_left_can_be_resumed(
    name: str, urls: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    for _ in range(2):
        fetchpool("first", "-o", name, cwd=tmp_path)
    twice = lines(path)
    assert compact(str(path)) == CompactResult(2, 2, 0)
    header = name.split(".")[1] in ("csv", "tsv")
    assert lines(path) == [*twice[:header], *twice[-2:]]
    compacted = path.read_bytes()
    assert compact(str(path)) == CompactResult(2, 0, 0)
    assert path.read_bytes() == compacted
    done = fetchpool("urls", "-o", name, "--resume", "--summary", "json", cwd=tmp_path)
    assert json.loads(done.stderr)["done_before"] == 2
    found = [url for line in lines(path) for url in urls if url in line]
    assert sorted(found) == sorted(urls)
    assert {path.name for path in tmp_path.iterdir()} == {"urls", "first", name}


@pytest.mark.parametrize("suffix", DECOMPRESS)
def test_compacting_a_truncated_output_is_refused_with_what_to_do(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.jsonl{suffix}"
    for _ in range(2):  # a member each
        sink = open_sink(str(path))
        sink.write([record(0, "http://a/")])
        sink.close()
    path.write_bytes(truncated := path.read_bytes()[:-3])
    with pytest.raises(UsageError, match="a run with --resume removes that part"):
        compact(str(path))
    assert path.read_bytes() == truncated
    open_sink(str(path)).close()
    assert compact(str(path)) == CompactResult(1, 0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
