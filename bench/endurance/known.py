"""Measure deduplication of ten million URLs, and reading a million rows back.

    python -m bench.endurance.known [--urls 10000000] [--rows 1000000]

Out: a table in Markdown. Each line is measured in its own process; the machine should be quiet.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.seen import SeenSet
from fetchpool.model.fingerprint import SIZE
from fetchpool.sinks.open import open_sink
from tests.factories import record

SUFFIXES = (".txt", ".jsonl", ".csv", ".sqlite")
BATCH = 10_000


def url(number: int) -> str:
    return f"https://www.example{number % 1000}.org/some/path/{number}/page.html?number={number * 7}"


def remember(urls: int, marks: int, memory: int) -> str:
    """Insert that many fingerprints into a set; the time of the slowest batch shows whether it ever
    pauses."""
    seen = SeenSet(marks, memory=memory)
    total = slowest = 0.0
    for _ in range(0, urls, BATCH):
        data = os.urandom(SIZE * BATCH)
        fingerprints = [data[start : start + SIZE] for start in range(0, len(data), SIZE)]
        begun = time.perf_counter()
        for fingerprint in fingerprints:
            if marks:
                seen.set_mark(fingerprint, 0, 1)
            else:
                seen.add(fingerprint)
        seconds = time.perf_counter() - begun
        total += seconds
        slowest = max(slowest, seconds)
    what = f"{urls:,} URLs known, {marks} marks each"
    return (
        f"{what} | {total / urls * 1e6:.2f} µs each, {slowest / BATCH * 1e6:.2f} in the slowest ten thousand"
    )


def remember_among(urls: int) -> str:
    """A 256th of so many fingerprints, all of which begin with the same byte: strings are as long as if all
    of them were there."""
    seen = SeenSet(memory=1 << 40)
    seconds = 0.0
    for _ in range(0, urls // 256, BATCH):
        data = os.urandom(SIZE * BATCH)
        fingerprints = [b"\0" + data[start + 1 : start + SIZE] for start in range(0, len(data), SIZE)]
        begun = time.process_time()
        for fingerprint in fingerprints:
            seen.add(fingerprint)
        seconds = time.process_time() - begun
    return f"a new URL among {urls:,} (a 256th of them) | {seconds / BATCH * 1e6:.2f} µs"


def read_back(rows: int, path: Path) -> str:
    """Read an output as a resumed run does at its start."""
    begun = time.perf_counter()
    sink = open_sink(str(path))
    known = DuplicateFilter(stored_rows=[sink.stored_rows()])
    while known.load():
        pass
    return f"{rows:,} rows of `{path.suffix}` read back | {time.perf_counter() - begun:.2f} s"


def write(rows: int, path: Path) -> None:
    sink = open_sink(str(path))
    for start in range(0, rows, BATCH):
        sink.write([record(number, url(number)) for number in range(start, start + BATCH)])
    sink.close()


def measured(*arguments: str) -> str:
    """Return a line of the table, measured in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "bench.endurance.known", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what knowing URLs costs.")
    parser.add_argument("--urls", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        what, number, *more = given.one
        if what == "remember":
            line = remember(int(number), *map(int, more))
        elif what == "among":
            line = remember_among(int(number))
        else:
            line = read_back(int(number), Path(more[0]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"| {line} | {peak:,.0f} MiB |\n")
        return
    sys.stdout.write("| what | time | peak memory of the process |\n|---|---|---:|\n")
    for marks, memory in ((0, DEFAULT_MEMORY), (2, DEFAULT_MEMORY), (0, given.urls * 5)):
        sys.stdout.write(measured("--one", "remember", str(given.urls), str(marks), str(memory)))
        sys.stdout.flush()
    for urls in (100_000_000, 1_000_000_000):
        sys.stdout.write(measured("--one", "among", str(urls)))
        sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="fetchpool-known-") as directory:
        for suffix in SUFFIXES:
            path = Path(directory, f"rows{suffix}")
            write(given.rows, path)
            sys.stdout.write(measured("--one", "read", str(given.rows), str(path)))
            sys.stdout.flush()
            path.unlink()


if __name__ == "__main__":
    main()
