"""A long list, killed and resumed three times: are the rows exact, and is memory bounded?

    python -m bench.endurance.million                 1,000,000 URLs
    python -m bench.endurance.million 100000 --executor thread

In: the number of URLs, and the executor. Out: one line of a Markdown table on standard output, and exit
code 1 if a row is missing, duplicated or wrong. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.scenarios.servers import nginx

KILLS = 3
FILES = 10_000


class Row(msgspec.Struct):
    urlnum: int
    error: str | None
    size_delivered: int | None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("urls", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--executor", default="async")
    parser.add_argument("--workers", default="64")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, nginx(directory := Path(name)) as server:
        listed, rows = directory / "urls.txt", directory / "rows.jsonl"
        with listed.open("w") as lines:
            lines.writelines(
                f"{server.plain}/small/{number % FILES}.html?{number}\n" for number in range(asked.urls)
            )
        command = [sys.executable, "-m", "fetchpool", str(listed), "-o", str(rows), "--resume", "-q"]
        command += ["--executor", asked.executor, "-w", asked.workers, "--per-host", "0"]
        started = time.monotonic()
        peak = 0
        for kill in range(KILLS + 1):
            wanted = asked.urls * (kill + 1) // (KILLS + 1) if kill < KILLS else None
            peak = max(peak, run(command, rows, wanted))
        took = time.monotonic() - started
        problem = check(rows, asked.urls)
    sizes = f"{took:,.0f} s | {peak / 1024:,.0f} MiB"
    ended = problem or "exact"
    sys.stdout.write(f"| {asked.urls:,} | {asked.executor} | {KILLS} | {sizes} | {ended} |\n")
    return 1 if problem else 0


def run(command: list[str], rows: Path, wanted: int | None) -> int:
    """Run once, and kill the run after that many rows; return its peak resident memory in KiB."""
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)])
            if wanted is not None and rows.exists() and rows.stat().st_size > wanted * ROW_OCTETS:
                process.kill()
                break
            time.sleep(0.05)
    return peak


ROW_OCTETS = 420
"""Approximate bytes of a row, to choose the moment of the kill."""


def check(rows: Path, urls: int) -> str:
    """Return what is wrong with the rows; empty if they are correct."""
    decode = msgspec.json.Decoder(Row).decode
    seen = bytearray(urls)
    with rows.open("rb") as lines:
        for line in lines:
            row = decode(line)
            if seen[row.urlnum]:
                return f"a second row for {row.urlnum}"
            if row.error is not None or row.size_delivered != 4096:
                return f"a wrong row for {row.urlnum}: {row.error}"
            seen[row.urlnum] = 1
    missing = urls - sum(seen)
    return f"{missing} rows missing" if missing else ""


if __name__ == "__main__":
    sys.exit(main())
