"""Compaction: the last row of every URL, complete or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fetchpool.history.compact import CompactResult, compact
from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.sinks import lines
from fetchpool.sinks.file_ops import FileOps
from fetchpool.sinks.open import RowOptions, open_sink
from tests.factories import record

SUFFIXES = [".txt", ".jsonl", ".csv"]


def write(path: Path, *urls: str, **fields: str) -> list[bytes]:
    """Rows for these URLs; the file's lines."""
    sink = open_sink(str(path))
    sink.write([record(number, url, **fields) for number, url in enumerate(urls)])
    sink.close()
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture(params=SUFFIXES)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / f"rows{request.param}"


@given(
    st.lists(st.sampled_from(["http://a/", "http://A", "http://b/", "http://c/?d", "not a url"])),
    st.integers(1, 500),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_last_row_of_every_url_is_left_in_its_order(path: Path, urls: list[str], block: int) -> None:
    path.unlink(missing_ok=True)
    complete = write(path, *urls)
    head, rows = complete[: len(complete) - len(urls)], complete[len(complete) - len(urls) :]
    last = {fingerprint.from_record_url(url): number for number, url in enumerate(urls)}
    lines.BLOCK, before = block, lines.BLOCK  # the file is read backwards in pieces of any size
    try:
        done = compact(str(path))
    finally:
        lines.BLOCK = before
    assert path.read_bytes() == b"".join([*head, *(rows[number] for number in sorted(last.values()))])
    assert done == CompactResult(len(last), len(urls) - len(last), 0)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_with_nothing_to_leave_out_is_not_touched(path: Path) -> None:
    write(path, "http://a/", "http://b/")
    before = path.stat()
    assert compact(str(path)) == CompactResult(2, 0, 0)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_rows_without_a_url_all_stay(path: Path) -> None:
    *head, blank, _, fine, other = write(path, "", "http://a/", "http://a/", "")
    assert compact(str(path)) == CompactResult(3, 1, 0)
    assert path.read_bytes() == b"".join([*head, blank, fine, other])


def test_damaged_and_incomplete_lines_are_left_out_and_counted(path: Path) -> None:
    *head, first, second = write(path, "http://a/", "http://b/")
    path.write_bytes(b"".join([*head, first, b"\0\0\n", second, second[:-5]]))
    assert compact(str(path)) == CompactResult(2, 0, 1)
    assert path.read_bytes() == b"".join([*head, first, second])


def test_permissions_stay_and_a_link_stays_a_link(path: Path) -> None:
    write(path, "http://a/", "http://a/")
    path.chmod(0o640)
    link = path.with_name(f"link{path.suffix}")
    link.symlink_to(path.name)
    compact(str(link))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_csv_keeps_the_columns_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    sink = open_sink(str(path), rows=RowOptions(("sha256",)))
    sink.write([record(0, extra={"sha256": "a"}), record(0, extra={"sha256": "b"})])
    sink.close()
    header, _, second = path.read_bytes().splitlines(keepends=True)
    compact(str(path))
    assert path.read_bytes() == header + second


def test_a_run_that_appends_meanwhile_goes_on_with_the_new_file(path: Path) -> None:
    write(path, "http://a/", "http://a/")
    sink = open_sink(str(path))
    compact(str(path))
    sink.write([record(9, "http://b/")])
    sink.close()
    assert compact(str(path)) == CompactResult(2, 0, 0)


@pytest.mark.parametrize("content", [b"http://example.org/\n", b"precious", b'{"url":"http://a/"}\n'])
def test_a_file_that_is_not_an_output_is_refused_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"is not a \w+ output of fetchpool; name its format with --format"):
        compact(str(path))
    assert path.read_bytes() == content


def test_a_missing_file_is_refused_and_not_created(path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        compact(str(path))
    with pytest.raises(UsageError, match="is a directory"):
        compact(str(path.parent), "text")
    assert not path.exists()


def test_a_database_has_final_rows_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    sink = open_sink(str(path))
    sink.write([record(0, "http://a/"), record(1, "http://a/"), record(2, "http://b/")])
    sink.close()
    assert compact(str(path)) == CompactResult(2, 0, 0)


class FailingDisk(FileOps):
    """Refuses its nth call."""

    def __init__(self, fails_at: int, error: int) -> None:
        self.left, self._error = fails_at, error

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise OSError(self._error, os.strerror(self._error))

    def write(self, descriptor: int, rows: memoryview) -> int:
        self._count()
        return super().write(descriptor, rows)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)


def test_a_disk_that_fails_at_any_point_leaves_the_one_file_or_the_other(path: Path) -> None:
    complete = b"".join(write(path, "http://a/", "http://b/", "http://a/"))
    compact(str(path))
    compacted = path.read_bytes()
    for fails_at in range(1, 10):
        path.write_bytes(complete)
        disk = FailingDisk(fails_at, errno.ENOSPC)
        if disk_lasts := compacts(path, disk):
            assert path.read_bytes() == compacted
        assert path.read_bytes() in (complete, compacted)
        assert list(path.parent.iterdir()) == [path]
        if disk_lasts:
            break
    assert fails_at > 3


def compacts(path: Path, disk: FailingDisk) -> bool:
    try:
        compact(str(path), disk=disk)
    except OutputError:
        return False
    return True
