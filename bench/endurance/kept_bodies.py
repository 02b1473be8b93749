"""Memory of `--keep body` into Parquet: `python -m bench.endurance.kept_bodies`.

    python -m bench.endurance.kept_bodies                10,000 pages of 1 MB
    python -m bench.endurance.kept_bodies 1000 --executor async

In: the number of pages. Out: the time, the memory of the process at ten points and at its peak, and the
size of the output, one file or a directory of parts; exit code 1 if the memory exceeds 600 MB, or a page is
missing or wrong. Each page is another one, half of it random. Needs free space in the temporary directory:
half of all pages, and 2 GB.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pyarrow.parquet

PAGE = 1_000_000
MOST = 600_000_000
"""Bytes that the process may have resident."""
RANDOM = random.Random(5).randbytes(PAGE // 2)


def page(number: int) -> bytes:
    """Return a page, which differs from all others."""
    turned = number * 4_999 % len(RANDOM)
    return (RANDOM[turned:] + RANDOM[:turned] + b"%9d " % number * (PAGE // 20))[:PAGE]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = count(1)
    on_page: Callable[[int], None]
    """Is called with the number of pages that were requested."""

    def do_GET(self) -> None:
        self.on_page(next(self.served))
        body = page(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def run(pages: int, executor: str, directory: Path) -> tuple[float, int]:
    """Fetch the pages; return the seconds and the bytes resident at the most."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    urls = directory / "urls.txt"
    urls.write_text("".join(f"http://127.0.0.1:{server.server_port}/{number}\n" for number in range(pages)))
    arguments = ["-q", "--executor", executor, "--keep", "body", "-o", "pages.parquet", str(urls)]
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "fetchpool", *arguments], cwd=directory)

    def report(served: int) -> None:
        if served % max(1, pages // 10) == 0:
            sys.stdout.write(f"{served:,} pages: {resident(process.pid) / 1e6:.0f} MB\n")
            sys.stdout.flush()

    Handler.on_page = staticmethod(report)  # type: ignore[assignment]
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    server.shutdown()
    if status:
        sys.exit(f"fetchpool ended with {os.waitstatus_to_exitcode(status)}")
    return took, usage.ru_maxrss * 1024


def resident(pid: int) -> int:
    """Return the bytes that a process has resident; 0 without `/proc`."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def parts_of(path: Path) -> list[Path]:
    """Return the files of an output, which is a directory if it is large."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def wrong_pages(path: Path, pages: int) -> int:
    """Return how many pages of the output are missing or wrong."""
    left = set(range(pages))
    for part in parts_of(path):
        for batch in pyarrow.parquet.ParquetFile(part).iter_batches(16, columns=["urlnum", "body"]):
            for number, body in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if body == page(number):
                    left.discard(number)
    return len(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pages", type=int, nargs="?", default=10_000)
    parser.add_argument("--executor", default="thread")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        took, memory = run(given.pages, given.executor, Path(directory))
        made = Path(directory) / "pages.parquet"
        wrong = wrong_pages(made, given.pages)
        parts = parts_of(made)
        size = sum(part.stat().st_size for part in parts)
    sys.stdout.write(
        f"{given.pages:,} pages of {PAGE:,} bytes, {given.executor}: {took:.0f} s, {memory / 1e6:.0f} MB "
        f"resident at the most; {size / 1e6:,.0f} MB in {len(parts)} files, {wrong} pages missing or wrong\n"
    )
    sys.exit(1 if wrong or memory > MOST else 0)


if __name__ == "__main__":
    main()
