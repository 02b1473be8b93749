"""Crashes and full disks: crashes, truncated rows, two runs with one output, and disks that are full or
fail."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bench.endurance.torture import EXECUTORS, FORMATS, Format, torture
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import Record
from fetchpool.sinks.file import SYNC_INTERVAL, FileSink
from fetchpool.sinks.file_ops import FileOps
from fetchpool.sinks.open import open_sink, row_format
from fetchpool.sinks.warc import WarcFile
from tests.cli.environment import UNCOMPILED, environment
from tests.cli.runner import FETCHPOOL, PATIENCE, fetchpool, run, start
from tests.factories import record
from tests.faults.matrix import at_once

LINE_FORMATS = ["text", "jsonl", "csv"]
waiting = at_once(demo_server=DemoServer)
SHARED = [*LINE_FORMATS, "sqlite"]
"""What two runs may write to at once; a second one is refused by Parquet."""


def write_list(directory: Path, server: DemoServer, count: int, padding: str = "") -> list[str]:
    """`urls.txt` in the directory; its URLs."""
    urls = [f"{server.url('/bytes')}/{number}?{padding}{number}" for number in range(count)]
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))
    return urls


def urls_in(path: Path, format: Format) -> list[str]:
    return [url for url, _ in format.rows(path)]


@pytest.fixture(params=SHARED)
def format(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


# bench/endurance/torture.py does it a thousand times, for every format with every executor. Rows are written
# about twice a second: a list must be long enough for a kill to find it half done. The seed has kills
# before the first row and between rows in turn, and few runs that end before they are killed.
@pytest.mark.parametrize(
    ("kills", "name", "executor"),
    [
        (5, "text", "thread"),
        (5, "jsonl", "process"),
        (5, "csv", "async"),
        (5, "sqlite", "thread"),
        (5, "parquet", "async"),
    ],
)
@pytest.mark.usefixtures("forked_torture")
@waiting
def test_40_a_run_killed_at_any_moment_and_resumed_has_one_row_for_every_url(
    kills: int, name: str, executor: str
) -> None:
    assert executor in EXECUTORS
    (result,) = torture(kills, [(name, executor)], seed=1174, urls=1000)
    assert result.kills >= kills  # the last run may have lost a worker as well
    assert (result.lost, result.doubled) == (0, 0)
    assert result.rows >= 1000


def test_41_a_truncated_last_row_is_removed_on_the_next_open_and_nothing_else(
    tmp_path: Path, demo_server: DemoServer
) -> None:
    urls = write_list(tmp_path, demo_server, 6)
    for name in LINE_FORMATS:
        format = FORMATS[name]
        path = tmp_path / f"rows{format.suffix}"
        assert fetchpool("urls.txt", "-q", "-o", path.name, cwd=tmp_path).returncode == 0
        complete = path.read_bytes()
        truncated = complete[:-20]
        path.write_bytes(truncated)
        done = fetchpool("urls.txt", "-q", "--resume", "-o", path.name, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        kept = truncated[: truncated.rindex(b"\n") + 1]
        assert path.read_bytes().startswith(kept)
        assert sorted(urls_in(path, format)) == sorted(urls)


def test_41_a_foreign_file_is_rejected_and_left_untouched(
    tmp_path: Path, demo_server: DemoServer, format: Format
) -> None:
    write_list(tmp_path, demo_server, 3)
    other = FORMATS["csv" if format is not FORMATS["csv"] else "jsonl"]
    ours = tmp_path / f"ours{other.suffix}"
    build(configure([str(tmp_path / "urls.txt")], outputs=[str(ours)])).run()
    path = tmp_path / f"rows{format.suffix}"
    for content in (b"precious", ours.read_bytes(), (tmp_path / "urls.txt").read_bytes()):
        path.write_bytes(content)
        for again in (False, True):
            config = configure(inputs=[str(tmp_path / "urls.txt")], outputs=[str(path)], resume=again)
            with pytest.raises(UsageError, match=r"rows\.\w+: is not a .* \(nothing in it was changed\)"):
                build(config)
        assert path.read_bytes() == content
    refused = fetchpool("urls.txt", "-o", path.name, "--retry-failed", "all", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"fetchpool: {path.name}: is not a ")
    assert path.read_bytes() == content


def test_41_the_input_is_rejected_as_output(tmp_path: Path, demo_server: DemoServer) -> None:
    write_list(tmp_path, demo_server, 3)
    before = (tmp_path / "urls.txt").read_bytes()
    refused = fetchpool("urls.txt", "-o", "urls.txt", "--resume", cwd=tmp_path)
    assert (refused.returncode, (tmp_path / "urls.txt").read_bytes()) == (2, before)


def test_42_two_runs_append_to_one_output_and_all_rows_are_complete(
    tmp_path: Path, demo_server: DemoServer, format: Format
) -> None:
    path = tmp_path / f"rows{format.suffix}"
    urls = write_list(tmp_path, demo_server, 400, "x" * 300)
    for half, name in ((urls[::2], "even.txt"), (urls[1::2], "odd.txt")):
        (tmp_path / name).write_text("".join(f"{url}\n" for url in half))
    both = [start(name, "-q", "-o", path.name, cwd=tmp_path) for name in ("even.txt", "odd.txt")]
    assert [each.communicate(timeout=PATIENCE)[1] for each in both] == [b"", b""]
    assert [each.returncode for each in both] == [0, 0]
    assert Counter(urls_in(path, format)) == Counter(urls)


class SmallDisk:
    """A directory that can't hold much: a file system of its own where we may mount one, a limit on the
    size of files otherwise."""

    SIZE = 512 << 10

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE}", "tmpfs", str(directory)]
        try:
            self._mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self._mounted = False
        self._enlarged = False

    def enlarge(self) -> None:
        self._enlarged = True
        if self._mounted:
            subprocess.run(["mount", "-o", "remount,size=16m", str(self.directory)], check=True)

    def fetchpool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        is_free = self._mounted or self._enlarged
        return run(
            [*FETCHPOOL, *arguments],
            cwd=self.directory,
            env=environment(UNCOMPILED),
            capture_output=True,
            text=True,
            limits={} if is_free else {resource.RLIMIT_FSIZE: (self.SIZE, self.SIZE)},
        )

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", str(self.directory)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    (tmp_path / "disk").mkdir()
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.close()


def test_43_a_full_disk_ends_the_run_with_a_message_and_a_file_that_can_be_resumed(
    tmp_path: Path, demo_server: DemoServer, small_disk: SmallDisk, format: Format
) -> None:
    urls = write_list(tmp_path, demo_server, 600, "x" * 1200)
    name = f"rows{format.suffix}"
    run = ["../urls.txt", "-q", "-o", name]
    full = small_disk.fetchpool(*run)
    assert full.returncode == 3
    assert full.stderr.startswith(f"fetchpool: {name}: ")
    assert full.stderr.endswith("; to continue, run the same command with --resume\n")
    assert full.stderr.count("\n") == 1
    path = small_disk.directory / name
    if format is not FORMATS["sqlite"]:
        assert path.read_bytes().endswith(b"\n")
    written = urls_in(path, format)
    assert len(set(written)) == len(written) < len(urls)
    small_disk.enlarge()
    resumed = small_disk.fetchpool(*run, "--resume")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    assert urls_in(path, format)[: len(written)] == written
    assert Counter(urls_in(path, format)) == Counter(urls)


class FailingDisk(FileOps):
    """Refuses its nth call: a write after half a row, as a disk does that fills up under it."""

    def __init__(self, fails_at: int, error: int, *, for_good: bool) -> None:
        """`for_good`: and every call after it."""
        self.calls: list[str] = []
        self._fails_at, self._error, self._for_good = fails_at, error, for_good

    def _is_refused(self, name: str) -> bool:
        self.calls.append(name)
        place = len(self.calls)
        return place == self._fails_at or (self._for_good and place > self._fails_at)

    def _refuse(self) -> None:
        raise OSError(self._error, os.strerror(self._error))

    def write(self, descriptor: int, rows: memoryview) -> int:
        if self._is_refused("write"):
            super().write(descriptor, rows[: len(rows) // 2])
            self._refuse()
        return super().write(descriptor, rows)

    def truncate(self, descriptor: int, size: int) -> None:
        if self._is_refused("truncate"):
            self._refuse()
        super().truncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        if self._is_refused("sync"):
            self._refuse()
        super().sync(descriptor)


class EagerSink(FileSink):
    """Writes, and asks the disk to keep it, after each batch and not only now and then."""

    def __init__(self, path: Path, disk: FileOps) -> None:
        self._now = 0.0
        super().__init__(str(path), row_format(path.suffix[1:]), disk=disk, clock=lambda: self._now)

    def write(self, records: Sequence[Record]) -> None:
        super().write(records)
        self._now += SYNC_INTERVAL
        self.flush()


# As curl's own torture tests do it: the first call fails, then the second one, until a run comes through.
@pytest.mark.parametrize("for_good", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EPIPE], ids=errno.errorcode.get)
def test_43_whichever_file_operation_fails_a_resumed_run_completes_the_file(
    tmp_path: Path, demo_server: DemoServer, error: int, for_good: bool
) -> None:
    urls = write_list(tmp_path, demo_server, 5)
    path = tmp_path / "rows.jsonl"
    for fails_at in range(1, 40):
        path.unlink(missing_ok=True)
        disk = FailingDisk(fails_at, error, for_good=for_good)
        if come_through(tmp_path, path, disk):
            break
        assert disk.calls.count("sync") <= 1 + disk.calls[: fails_at - 1].count("sync"), "a second try"
        if not for_good:
            assert not path.read_bytes() or path.read_bytes().endswith(b"\n")
        before = urls_in(path, FORMATS["jsonl"])
        config = configure([str(tmp_path / "urls.txt")], outputs=[str(path)], workers=1, resume=True)
        result = build(config).run()
        assert urls_in(path, FORMATS["jsonl"])[: len(before)] == before
        assert sorted(urls_in(path, FORMATS["jsonl"])) == sorted(urls)
        assert (result.snapshot.ok, result.snapshot.done_before) == (5, len(before))
    assert {"write", "sync"} <= set(disk.calls)
    assert fails_at > 10


def come_through(directory: Path, path: Path, disk: FailingDisk) -> bool:
    """Whether a run gets to its end on that disk."""
    config = configure([str(directory / "urls.txt")], workers=1)
    try:
        build(config, sinks=[EagerSink(path, disk)]).run()
    except OutputError as failure:
        return not str(failure)  # it has words
    return True


def test_43_rows_are_synced_every_few_seconds_and_at_the_end(tmp_path: Path) -> None:
    now = 0.0
    disk = FailingDisk(0, errno.EIO, for_good=False)
    sink = FileSink(str(tmp_path / "rows.txt"), row_format("text"), disk=disk, clock=lambda: now)
    for tick in range(26):
        now = tick * 0.5
        sink.write([record(tick)])
        sink.flush()
    assert disk.calls.count("sync") == 2
    sink.close()
    assert disk.calls[-1] == "sync"
    assert disk.calls.count("sync") == 3


def test_43_a_failed_fsync_is_not_retried(tmp_path: Path) -> None:
    disk = FailingDisk(2, errno.EIO, for_good=False)
    sink = FileSink(str(tmp_path / "rows.txt"), row_format("text"), disk=disk)
    sink.write([record()])
    with pytest.raises(OutputError, match=r"rows\.txt: can't be written: Input/output error"):
        sink.close()
    sink.close()
    assert disk.calls == ["write", "sync"]


@pytest.mark.parametrize("executor", ["thread", "process", "async"])
@waiting
def test_44_a_closed_pipe_does_not_affect_other_outputs(
    demo_server: DemoServer, tmp_path: Path, executor: str
) -> None:
    """`-o - -o all.jsonl | head -1`: a message, exit code 0, and the file gets every row."""
    urls = write_list(tmp_path, demo_server, 150)
    command = ["urls.txt", "-o", "-", "-o", "all.jsonl", "-w", "2", "--rate", "90/s", "--executor", executor]
    process = start(*command, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert process.wait(PATIENCE) == 0, said
    assert "standard output was closed by its reader; the other outputs continue" in said
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == len(urls)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.txt"])
def test_43_a_file_that_is_removed_during_the_run_is_reported(tmp_path: Path, name: str) -> None:
    """Further rows are written to a new file of the same name, completely, and a message says so; if its
    directory was removed as well, the exit code is 3."""
    directory = tmp_path / "there"
    directory.mkdir()
    sink = open_sink(str(directory / name))
    sink.write([record(0)])
    sink.flush()
    remove(directory / name)
    sink.write([record(1)])
    sink.flush()
    [notice] = sink.notices
    assert "was removed during the run; all further rows are in a new file of that name" in notice
    assert [list(map(bool, rows)) for rows in sink.stored_rows()] == [[True]]
    remove(directory)
    sink.write([record(2)])
    with pytest.raises(OutputError, match=r"removed during the run: .*directory .* does not exist"):
        sink.flush()


@pytest.mark.parametrize("what", ["output", "directory", "replaced"])
@pytest.mark.parametrize("name", ["rows.sqlite", "rows.parquet"])
def test_43_a_database_or_directory_that_is_removed_ends_the_run(
    tmp_path: Path, name: str, what: str
) -> None:
    """Nothing is written to a deleted file without notice: exit code 3 and a message."""
    directory = tmp_path / "there"
    directory.mkdir()
    sink = open_sink(str(directory / name))
    sink.write([record(0)])
    sink.flush()
    remove(directory if what == "directory" else directory / name)
    if what == "replaced":
        open_sink(str(directory / name)).close()
    sink.write([record(1)])
    with pytest.raises(OutputError, match="was removed or replaced during the run"):
        sink.flush()
    sink.close()


@pytest.mark.parametrize("what", ["output", "directory"])
def test_43_an_archive_that_is_removed_ends_the_run(tmp_path: Path, what: str) -> None:
    """The same, at the next flush."""
    directory = tmp_path / "there"
    directory.mkdir()
    archive = WarcFile(str(directory / "a.warc.gz"), 1 << 30)
    archive.flush()
    remove(directory if what == "directory" else directory / "a.warc.gz")
    with pytest.raises(OutputError, match="was removed or replaced during the run"):
        archive.flush()
    archive.close()
