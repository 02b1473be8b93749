"""Kill a run at random moments, resume it, and check the outputs after every kill (fault 40).

    python -m bench.endurance.torture --kills 1000

In: the number of kills, divided among formats and executors. Out: a table in Markdown, and exit code 1 if a
guarantee was broken. It needs nothing but this checkout: the URLs are those of the demo server. The outputs
are read with independent code.

After each `kill -9` of a run: every complete line parses, every earlier row is still there, no URL has two
rows, and no worker outlives its parent by more than five seconds. With worker processes, every second run
loses one of them first, and goes on. Whenever a run completes: each distinct URL of the list has one row,
with the result that its server gave.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from random import Random

from msgspec import Struct

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.demo_server.urls import demo_urls, expected_error

EXECUTORS = ("thread", "process", "async")
URLS = 2000
WORKERS = 16
SHORT_RUN = 1.5
"""Seconds within which some of the runs are killed, whether they have written anything or not."""
LONG_RUN = 20.0
"""Seconds after which the others are killed at the latest; usually they are after a number of rows."""
ORPHANS_END = 5.0
"""Seconds that a worker process may run without its parent."""

Rows = list[tuple[str, str | None]]
"""`url` and `error` of each row, in the file's order."""


class BrokenPromiseError(Exception):
    """The output of a killed run is wrong."""


class Format(Struct, frozen=True):
    suffix: str
    row_size: int
    """Approximate bytes of a row."""
    rows: Callable[[Path], Rows]
    """Raise `BrokenPromiseError` for a complete line that is not a row."""


class Result(Struct):
    """The result of one format with one executor."""

    format: str
    executor: str
    kills: int = 0
    worker_kills: int = 0
    """Kills of workers."""
    finished: int = 0
    """Runs that completed, before they were killed or because they were not."""
    rows: int = 0
    """Rows read, in all checks together."""
    lost: int = 0
    doubled: int = 0
    slowest_orphan: float = 0.0
    """Seconds until the last worker of a killed run was gone."""


def _lines(path: Path) -> list[str]:
    """Return the complete lines; a kill may have left a truncated one."""
    return path.read_bytes().decode().split("\n")[:-1]


def _text(path: Path) -> Rows:
    rows: Rows = []
    for line in _lines(path):
        row = re.fullmatch(r"url:<(.*)> (?:size:\[\d+\]|error:\[(\w+)\])", line)
        if not row:
            raise BrokenPromiseError(f"no row: {line!r}")
        rows.append((row[1], row[2]))
    return rows


def _jsonl(path: Path) -> Rows:
    try:
        return [(row["url"], row["error"]) for row in map(json.loads, _lines(path))]
    except (ValueError, KeyError) as problem:
        raise BrokenPromiseError(f"no row: {problem!r}") from problem


def _csv(path: Path) -> Rows:
    table = csv.DictReader(io.StringIO("\n".join(_lines(path))), strict=True)
    try:
        rows = [(row["url"], row["error"] or None) for row in table if int(row["exitcode"]) >= 0]
    except (csv.Error, KeyError, TypeError, ValueError) as problem:
        raise BrokenPromiseError(f"no row: {problem!r}") from problem
    return rows


def _sqlite(path: Path) -> Rows:
    with closing(sqlite3.connect(path)) as database:
        state = database.execute("PRAGMA integrity_check").fetchone()[0]
        if state != "ok":
            raise BrokenPromiseError(f"the database is damaged: {state}")
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'fetches'").fetchone():
            return []  # killed before it was made
        return database.execute("SELECT url, error FROM fetches ORDER BY rowid").fetchall()


def hidden_directory(path: Path) -> Path:
    """Return where the rows of a Parquet output are while a directory becomes a file."""
    return path.with_name(f".{path.name}.parts")


def _parquet(path: Path) -> Rows:
    from pyarrow import parquet  # only where it is asked for

    rows: Rows = []
    if not path.exists():  # killed while a directory became a file
        path = hidden_directory(path)
    for part in [path] if path.is_file() else sorted(path.glob("*.parquet")):
        table = parquet.read_table(part, columns=["url", "error"])
        rows += zip(table["url"].to_pylist(), table["error"].to_pylist(), strict=True)
    return rows  # what waits to become a part is no reader's yet


FORMATS = {
    "text": Format(".txt", 55, _text),
    "jsonl": Format(".jsonl", 470, _jsonl),
    "csv": Format(".csv", 190, _csv),
    "sqlite": Format(".sqlite", 600, _sqlite),
    "parquet": Format(".parquet", 470, _parquet),
}


class Torture:
    """One list or one site, fetched into one output many times."""

    def __init__(
        self, expected: dict[str, str | None], directory: Path, format: str, executor: str, random: Random
    ) -> None:
        """`expected`: the URLs, and the `error` of each row."""
        self.result = Result(format, executor)
        self._format = FORMATS[format]
        self._random = random
        self._expected = expected
        self._directory = directory
        self._output = directory / f"rows{self._format.suffix}"
        self._seen: Rows = []
        """The rows of the last check."""

    def kill_one(self) -> None:
        """Start or resume a run, kill it at a random moment, and check its output."""
        with self._start() as process:
            if self.result.executor == "process" and self._random.random() < 0.5:
                self._kill_worker(process)
            self._await_moment(process)
            if process.poll() is None:
                with suppress(ProcessLookupError):  # it may end in between, and need not be a child of ours
                    os.kill(process.pid, signal.SIGKILL)
            code = process.wait()
            self._await_orphans(process.pid)
        if code == -signal.SIGKILL:
            self.result.kills += 1
            self._look()
        else:
            self._finished(code)

    def _kill_worker(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a worker process of a run at a random moment. The run goes on."""
        self._await_moment(process)
        workers = [pid for pid, parent in _group(process.pid) if process.pid not in (pid, parent)]
        if process.poll() is None and workers:
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(workers), signal.SIGKILL)
                self.result.kills += 1
                self.result.worker_kills += 1

    def _await_moment(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a random moment, or for the end of the run."""
        moment = self._moment()
        while process.poll() is None and not moment():
            time.sleep(0.001)

    def finish(self) -> None:
        """Let the run end."""
        with self._start() as process:
            self._finished(process.wait(timeout=120))

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fetchpool", *self._work(), "-o", self._output.name, "-q"]
        options = ["--executor", self.result.executor, "--workers", str(WORKERS), "--per-host", "0"]
        with (self._directory / "stderr.txt").open("wb") as stderr:
            return subprocess.Popen(
                [*command, *options, "--retry-delay", "50ms"],
                cwd=self._directory,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
                stderr=stderr,
                start_new_session=True,
            )

    def _work(self) -> list[str]:
        """Return the arguments that say what to fetch."""
        return ["urls.txt", "--resume"]

    def _moment(self) -> Callable[[], bool]:
        """Return whether it is time to kill: after a while, or while rows are written, when most can
        break."""
        begun = time.monotonic()
        if self._random.random() < 0.3:
            end = begun + self._random.uniform(0.0, SHORT_RUN)
            return lambda: time.monotonic() >= end
        enough = self._size() + self._random.randrange(len(self._expected) // 4) * self._format.row_size
        return lambda: self._size() > enough or time.monotonic() >= begun + LONG_RUN

    def _size(self) -> int:
        paths = [self._output, Path(f"{self._output}-wal")]
        # Each may be gone by now, and a directory of parts may have become one file.
        with suppress(FileNotFoundError, NotADirectoryError):
            paths += self._output.glob("*part*")
        size = 0
        for path in paths:
            with suppress(FileNotFoundError, NotADirectoryError):
                size += path.stat().st_size
        return size

    def _look(self) -> None:
        is_there = self._output.exists() or hidden_directory(self._output).exists()
        rows = self._format.rows(self._output) if is_there else []
        self.result.rows += len(rows)
        self.result.lost += len(set(self._seen) - set(rows))
        self.result.doubled += sum(count - 1 for count in Counter(url for url, _ in rows).values())
        for url, error in rows:
            if url not in self._expected:
                raise BrokenPromiseError(f"a row of something else: {url!r}")
            if error != self._expected[url]:
                raise BrokenPromiseError(f"{url} ended in {error}, not in {self._expected[url]}")
        self._seen = rows

    def _finished(self, code: int) -> None:
        """Check a completed run: every URL must have its row; the next run starts from nothing."""
        said = (self._directory / "stderr.txt").read_text()
        if code != 1 or said:  # the missing pages failed, in this run or in one before it
            raise BrokenPromiseError(f"exit code {code}, not 1: {said}")
        self._look()
        self.result.finished += 1
        self.result.lost += len(self._expected.keys() - {url for url, _ in self._seen})
        self._seen = []
        if self._output.is_dir():
            shutil.rmtree(self._output)
        else:
            self._output.unlink()

    def _await_orphans(self, group: int) -> None:
        waited, before = 0.0, time.monotonic()
        while _group(group):
            time.sleep(0.005)
            now = time.monotonic()
            # When this process was stopped for longer, so were the workers.
            waited += min(now - before, 0.1)
            before = now
            self.result.slowest_orphan = max(self.result.slowest_orphan, waited)
            if waited > ORPHANS_END:
                raise BrokenPromiseError("a worker outlived its parent by more than five seconds")


def _group(group: int) -> list[tuple[int, int]]:
    """Return the processes of that group that still run, each with its parent: an ended process may still
    wait to be reaped. The parent of a worker is the fork server, which is a child of the run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state not in "ZX":
            found.append((int(path.parent.name), int(parent)))
    return found


def torture(kills: int, ways: Sequence[tuple[str, str]], seed: int, urls: int = URLS) -> list[Result]:
    """Kill that many runs, with every format and executor in turn. Raises `BrokenPromiseError`."""
    random = Random(seed)
    with tempfile.TemporaryDirectory(prefix="fetchpool-torture-") as top, DemoServer() as server:
        runs = []
        for format, executor in ways:
            directory = Path(top, f"{format}-{executor}")
            directory.mkdir()
            expected = write_list(server.url("").rstrip("/"), directory / "urls.txt", urls)
            runs.append(Torture(expected, directory, format, executor, random))
        return conduct(runs, kills)


def write_list(base: str, path: Path, count: int) -> dict[str, str | None]:
    """Write a list of that length, some of it named twice; return what its URLs end in. `base`: a demo
    server's address."""
    expected = {url: expected_error(url) for url in demo_urls(base, count)}
    with path.open("w") as listed:
        for place, url in enumerate(expected):
            listed.write(f"{url}\n{url}#again\n" if place % 10 == 0 else f"{url}\n")
    return expected


def conduct(runs: Sequence[Torture], kills: int) -> list[Result]:
    """Kill that many runs, each in turn, and let all of them end."""
    try:
        while sum(run.result.kills for run in runs) < kills:
            min(runs, key=lambda run: run.result.kills).kill_one()
    except BaseException:  # what was found until then
        sys.stderr.write(f"{table([run.result for run in runs])}\n")
        raise
    for run in runs:
        run.finish()
    return [run.result for run in runs]


def table(results: Sequence[Result]) -> str:
    """Return the results in Markdown."""
    lines = [
        "| format | executor | kills | of workers | rows checked | rows lost | rows doubled "
        "| last worker gone after |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {each.format} | {each.executor} | {each.kills:,} | {each.worker_kills:,} | {each.rows:,} | "
        f"{each.lost:,} | {each.doubled:,} | {each.slowest_orphan:.2f} s |"
        for each in results
    ]
    return "\n".join(lines)


TortureRun = Callable[[int, Sequence[tuple[str, str]], int, int], list[Result]]


def run_from_arguments(description: str, size: str, default: int, conducted: TortureRun) -> int:
    """Runs a torture as the command line asks for it, and prints its table; returns the exit code.
    `size`: the option for the number of URLs or pages."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=100, help="in all (default: 100)")
    parser.add_argument(size, dest="size", type=int, default=default, help=f"of them (default: {default})")
    parser.add_argument("--format", action="append", choices=FORMATS, help="only this one; may be repeated")
    parser.add_argument(
        "--executor", action="append", choices=EXECUTORS, help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="to do the same again")
    given = parser.parse_args()
    sys.stderr.write(f"seed {given.seed}\n")
    ways = list(product(given.format or FORMATS, given.executor or EXECUTORS))
    results = conducted(given.kills, ways, given.seed, given.size)
    sys.stdout.write(f"{table(results)}\n")
    return 1 if any(each.lost or each.doubled for each in results) else 0


def main() -> int:
    return run_from_arguments("Kills runs, resumes them and checks the promise.", "--urls", URLS, torture)


if __name__ == "__main__":
    sys.exit(main())
