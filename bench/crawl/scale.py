"""Crawls of growing size, `python -m bench.crawl.scale [DEPTH]...`: memory, time per page, time to resume.

In: the depths of the trees (default: 4, 5 and 6, which is 1,111,111 pages). Out: a table in Markdown. Each
crawl is killed when nine tenths of its rows are written, and resumed; the time from the start of the resumed
run to its first requests is the time to be back at work. Exit code 1 if a row is missing or doubled. Linux
only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.crawl.run import ENVIRONMENT, MEMORY
from bench.crawl.site import LINKS, CrawlSite, nginx, tree_pages


def resident(process: int) -> int:
    """Return the most resident bytes of a process so far; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in status.splitlines() if "VmHWM" in line), default=0)


def cpu(process: int) -> float:
    """Return the CPU seconds of a process so far."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows_written(path: Path) -> int:
    """Return about how many rows a run has written, from the size of the first ones."""
    try:
        with path.open("rb") as file:
            first = file.read(1 << 16)
        return path.stat().st_size * first.count(b"\n") // max(first.rfind(b"\n") + 1, 1)
    except FileNotFoundError:
        return 0


def lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def measure(site: CrawlSite, depth: int, directory: Path, options: list[str]) -> tuple[str, bool]:
    """Crawl a tree, killed and resumed. Returns the table's row, and whether the rows are exact."""
    pages = tree_pages(depth)
    rows = directory / f"rows{depth}.jsonl"
    command = [sys.executable, "-m", "fetchpool", site.tree(depth), "-r", "-o", str(rows), "-q"]
    command += ["-w", "64", "--per-host", "0", "--executor", "async", *options]
    most = pages * 9 // 10
    peak, used = 0, 0.0
    begun = time.monotonic()
    with subprocess.Popen(command, env=ENVIRONMENT) as process:
        while process.poll() is None and rows_written(rows) < most:
            peak, used = max(peak, resident(process.pid)), max(used, cpu(process.pid))
            time.sleep(0.02)
        process.kill()
    before_kill = time.monotonic() - begun
    done = lines(rows)
    before = site.answered()
    begun = time.monotonic()
    with subprocess.Popen([*command, "--resume"], env=ENVIRONMENT) as process:
        while process.poll() is None and site.answered() - before < 70:  # its own questions are counted
            before += 1
            time.sleep(0.02)
        back = time.monotonic() - begun
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.05)
    after_kill = time.monotonic() - begun - back
    with rows.open("rb") as file:
        urls = [json.loads(line)["url"] for line in file]
    exact = len(urls) == len(set(urls)) == pages
    pace = (done / before_kill, (pages - done) / max(after_kill, 0.001))
    row = (
        f"| {pages:,} | {pace[0]:,.0f} | {pace[1]:,.0f} | {used / max(done, 1) * 1e6:,.0f} µs "
        f"| {peak / 1e6:,.0f} MB | {done:,} | {back:.1f} s | {'exact' if exact else f'{len(urls):,} rows'} |"
    )
    return row, exact


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("depths", nargs="*", type=int, default=[4, 5, 6])
    parser.add_argument("--links", type=int, default=LINKS, help="of each page (default: %(default)s)")
    given, options = parser.parse_known_args()
    head = "| pages | pages/s | resumed | CPU per page | memory | rows at the kill | back at work | rows |"
    sys.stdout.write(f"{head}\n|---:|---:|---:|---:|---:|---:|---:|---|\n")
    failed = False
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name,
        nginx(Path(name), trees=given.depths, links=given.links) as site,
    ):
        for depth in given.depths:
            row, exact = measure(site, depth, Path(name), options)
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            failed |= not exact
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
