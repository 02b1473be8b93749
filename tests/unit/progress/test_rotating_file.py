"""The log file on disk: its size, its old files, and other programs and disks that interfere."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fetchpool.progress.complete_lines import write_lines
from fetchpool.progress.rotating_file import RotatingFile


def lines(first: int, end: int) -> list[bytes]:
    """Lines of ten bytes."""
    return [b"%09d\n" % number for number in range(first, end)]


def write(file: RotatingFile, wanted: list[bytes]) -> None:
    assert file.write(wanted) == (len(wanted), None)


def contents(path: Path) -> list[int]:
    """The numbers of the lines, in every file, the newest file first."""
    files = [path, *sorted(path.parent.glob(f"{path.name}.*"))]
    return [int(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def test_only_the_user_may_read_it_and_its_old_files(path: Path) -> None:
    file = RotatingFile(str(path), max_size=30, keep=2)
    write(file, lines(0, 5))
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 2


def test_it_is_renamed_before_it_grows_beyond_its_size_and_the_oldest_are_removed(path: Path) -> None:
    file = RotatingFile(str(path), max_size=30, keep=2)
    for number in range(11):
        write(file, lines(number, number + 1))
    assert contents(path) == [9, 10, 6, 7, 8, 3, 4, 5]
    assert sorted(each.name for each in path.parent.iterdir()) == ["run.log", "run.log.1", "run.log.2"]


def test_many_lines_at_once_are_spread_over_files(path: Path) -> None:
    file = RotatingFile(str(path), max_size=35, keep=9)
    write(file, lines(0, 8))
    assert contents(path) == [6, 7, 3, 4, 5, 0, 1, 2]


def test_a_line_that_is_larger_than_a_file_has_one_of_its_own(path: Path) -> None:
    file = RotatingFile(str(path), max_size=5, keep=9)
    write(file, lines(0, 3))
    assert contents(path) == [2, 1, 0]


def test_no_old_files_are_kept_if_none_are_wanted(path: Path) -> None:
    file = RotatingFile(str(path), max_size=30, keep=0)
    write(file, lines(0, 4))
    assert contents(path) == [3]


def test_without_a_size_it_is_never_renamed(path: Path) -> None:
    file = RotatingFile(str(path), max_size=0, keep=5)
    write(file, lines(0, 1000))
    assert contents(path) == list(range(1000))


def test_it_is_continued_and_a_line_that_another_program_cut_off_is_ended(path: Path) -> None:
    path.write_bytes(b"cut off")
    path.chmod(0o640)
    file = RotatingFile(str(path), max_size=0, keep=5)
    write(file, lines(0, 1))
    assert path.read_bytes() == b"cut off\n000000000\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("creates", [True, False], ids=["create", "nocreate"])
def test_logrotate_may_rename_it(path: Path, creates: bool) -> None:
    file = RotatingFile(str(path), max_size=0, keep=5)
    write(file, lines(0, 2))
    path.rename(path.with_name("run.log.old"))
    if creates:
        path.touch()
    write(file, lines(2, 3))
    assert contents(path) == [2, 0, 1]


def test_logrotate_may_truncate_it_in_place(path: Path) -> None:
    file = RotatingFile(str(path), max_size=30, keep=5)
    write(file, lines(0, 3))
    os.truncate(path, 0)
    write(file, lines(3, 4))
    assert path.read_bytes() == b"000000003\n"


def test_two_runs_may_share_it(path: Path) -> None:
    first, second = (RotatingFile(str(path), max_size=30, keep=9) for _ in range(2))
    for number in range(0, 12, 2):
        write(first, lines(number, number + 1))
        write(second, lines(number + 1, number + 2))
    assert sorted(contents(path)) == list(range(12))


def test_it_grows_in_place_if_it_cannot_be_renamed(path: Path) -> None:
    file = RotatingFile(str(path), max_size=30, keep=1)
    (path.parent / "run.log.1" / "full").mkdir(parents=True)
    write(file, lines(0, 5))
    assert path.read_bytes() == b"".join(lines(0, 5))


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Files of this process can't grow beyond `size`, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_it_ends_in_a_complete_line_and_goes_on_when_there_is_space(path: Path) -> None:
    file = RotatingFile(str(path), max_size=0, keep=5)
    with limited_files(35):
        written, failure = file.write(lines(0, 5))
    assert written == 3
    assert failure is not None
    assert contents(path) == [0, 1, 2]
    write(file, lines(3, 5))
    assert contents(path) == [0, 1, 2, 3, 4]


def test_a_directory_that_disappears_is_a_failure_until_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.log"
    path.parent.mkdir()
    file = RotatingFile(str(path), max_size=0, keep=5)
    path.parent.rename(tmp_path / "moved")
    written, failure = file.write(lines(0, 1))
    assert (written, type(failure)) == (0, FileNotFoundError)
    path.parent.mkdir()
    write(file, lines(1, 2))
    assert contents(path) == [1]


def test_a_named_pipe_without_a_reader_is_refused_and_one_with_a_reader_gets_lines(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        RotatingFile(str(path), max_size=10, keep=5)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write(RotatingFile(str(path), max_size=10, keep=5), lines(0, 3))
    assert os.read(reader, 100) == b"".join(lines(0, 3))
    os.close(reader)


def test_complete_lines_stay_in_a_file_without_append_mode(path: Path) -> None:
    """Standard error is often such a file: `2> errors`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with limited_files(35):
        assert write_lines(descriptor, b"".join(lines(0, 2))) == (20, None)
        written, failure = write_lines(descriptor, b"".join(lines(2, 5)))
    assert (written, type(failure)) == (10, OSError)
    assert write_lines(descriptor, b"".join(lines(3, 5))) == (20, None)
    os.close(descriptor)
    assert contents(path) == [0, 1, 2, 3, 4]
