"""A long run against a faulty server: every URL has exactly one row, the right one, and nothing leaks.

    python -m bench.endurance.soak                              200,000 URLs, thread and curl
    python -m bench.endurance.soak 50000 --executor process --transport curl

In: the number of URLs, executor and transport. Out: figures in Markdown on standard output, progress on
stderr, and exit code 1 if a row is missing, duplicated or wrong, or if threads, descriptors or memory grow.
Every fifth URL is a fault (`soak_server.py`), on 1,000 hosts; `-w 200 --per-host 0`. Linux only: it reads
/proc.
"""

from __future__ import annotations

import argparse
import gc
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fetchpool
from bench.endurance.soak_server import EVERY, FAULTS, MAX_FILESIZE, fault_of
from bench.scenarios.servers import ROOT, ended_at_the_end, listening

HOSTS = 1_000
WORKERS = 200
MAX_TIME = 8.0
READ_TIMEOUT = 5.0
"""Seconds: long enough for every page, though server and client share two cores."""
WARM = 0.2
"""Share of the run after which nothing may grow."""
MORE_MEMORY = 32 << 20
"""Bytes by which a process may grow: fragments of the allocator, not a leak per URL."""
MORE_DESCRIPTORS = 40
LINE_EVERY = 10_000


class Usage(NamedTuple):
    """The resources of the program and its worker processes together."""

    memory: int
    descriptors: int
    threads: int
    processes: int


def main() -> int:
    """Run the test."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("urls", nargs="?", type=int, default=200_000)
    arguments.add_argument("--executor", default="thread")
    arguments.add_argument("--transport", default="curl")
    arguments.add_argument("--workers", type=int, default=WORKERS)
    options = arguments.parse_args()
    with server() as port:
        return soak(port, options.urls, options.executor, options.transport, options.workers)


@contextmanager
def server() -> Iterator[int]:
    """Start the faulty server in its own process; yield its port."""
    with listening("0.0.0.0") as listener:
        port: int = listener.getsockname()[1]
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.endurance.soak_server", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
    with ended_at_the_end(child):
        yield port


def soak(port: int, count: int, executor: str, transport: str, workers: int) -> int:
    """Run the list, check the rows, and print the figures."""
    urls = (f"http://127.{n % HOSTS // 250}.{n % 250}.1:{port}/{n}" for n in range(count))
    rows = bytearray(count)
    kinds: Counter[str] = Counter()
    wrong: list[str] = []
    samples: list[tuple[int, Usage]] = []
    began = time.monotonic()
    records = fetchpool.fetch(
        urls,
        executor=executor,
        transport=transport,
        workers=workers,
        per_host=0,
        retry=0,
        max_time=MAX_TIME,
        read_timeout=READ_TIMEOUT,
        max_filesize=MAX_FILESIZE,
        parse=["title"],
    )
    for done, record in enumerate(records, 1):
        rows[record.urlnum] += 1
        name = fault_of(record.urlnum)
        kinds[record.error or "ok"] += 1
        if record.error not in (FAULTS[name][0] if name else (None,)):
            wrong.append(f"{name or 'a page'}: {record.error} ({record.errormsg})")
        if done % max(1, min(LINE_EVERY, count // 10)) == 0:
            samples.append((done, usage()))
            sys.stderr.write(f"{done:>9,} rows  {shown(samples[-1][1])}\n")
    seconds = time.monotonic() - began
    gc.collect()
    problems = [f"{rows.count(0)} URLs without a row"] if rows.count(0) else []
    problems += (
        [f"{count - rows.count(0) - rows.count(1)} URLs with several"] if max(rows, default=0) > 1 else []
    )
    problems += [f"{number} rows: {what}" for what, number in Counter(wrong).most_common(20)]
    problems += growth(samples, count)
    report(count, seconds, executor, transport, workers, kinds, samples, problems)
    return 1 if problems else 0


def growth(samples: list[tuple[int, Usage]], count: int) -> list[str]:
    """Return what grew after the start: the maximum of the middle against the minimum of the end."""
    warm = [usage for done, usage in samples if WARM * count <= done <= 0.6 * count]
    end = [usage for done, usage in samples if done > 0.6 * count]
    if not warm or not end:
        return []
    found = []
    for name, allowed in (("memory", MORE_MEMORY), ("descriptors", MORE_DESCRIPTORS), ("threads", 0)):
        before = max(getattr(usage, name) for usage in warm)
        after = min(getattr(usage, name) for usage in end)
        if after > before + allowed:
            found.append(f"{name} grew from {before:,} to {after:,}")
    return found


def usage() -> Usage:
    """Read /proc for this process and its descendants."""
    memory = descriptors = threads = processes = 0
    for pid in family():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
        processes += 1
        memory += int(re.search(r"VmRSS:\s*(\d+)", status)[1]) << 10  # type: ignore[index]
        threads += int(re.search(r"Threads:\s*(\d+)", status)[1])  # type: ignore[index]
    return Usage(memory, descriptors, threads, processes)


def family() -> list[int]:
    """Return this process and its workers, without the server."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
                command = (entry / "cmdline").read_text()
            except OSError:
                continue
            if "soak_server" not in command:
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    own = [Path("/proc/self").resolve().name]
    found = [int(own[0])]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def shown(usage: Usage) -> str:
    return (
        f"{usage.memory / (1 << 20):7.1f} MiB  {usage.descriptors:5} descriptors  {usage.threads:4} threads"
        f"  {usage.processes} processes"
    )


def report(
    count: int,
    seconds: float,
    executor: str,
    transport: str,
    workers: int,
    kinds: Counter[str],
    samples: list[tuple[int, Usage]],
    problems: list[str],
) -> None:
    """Return the figures as the documentation has them."""
    table = [
        f"| {done:,} | {held.memory / (1 << 20):.1f} | {held.descriptors} | {held.threads} |"
        for done, held in samples
    ]
    lines = [
        f"{count:,} URLs, every {EVERY}th a fault out of {len(FAULTS)}: {executor} and {transport}, "
        f"{workers} workers, {seconds:,.0f} s ({count / seconds:,.0f} URLs/s)",
        "",
        "| rows | memory (MiB) | descriptors | threads |",
        "| ---: | ---: | ---: | ---: |",
        *table,
        "",
        ", ".join(f"`{kind}` {number:,}" for kind, number in kinds.most_common()),
        "",
        f"Threads left at the end: {', '.join(sorted({thread.name for thread in threading.enumerate()}))}",
        "",
        *(problems or ["Every URL has one row, of the right kind; nothing grew."]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
