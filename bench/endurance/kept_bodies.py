"""Memory of `--keep body` into Parquet: `python -m bench.endurance.kept_bodies`.

    python -m bench.endurance.kept_bodies                10,000 pages of 1 MB
    python -m bench.endurance.kept_bodies 1000 --executor async

In: the number of pages. Out: the time, the peak memory of the process and the size of the file, and exit
code 1 if the memory exceeds 600 MB, or a page is missing or wrong. Each page is another one, half of it
random. Needs free space in the temporary directory: half of all pages, twice.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

    def do_GET(self) -> None:
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
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    server.shutdown()
    if status:
        sys.exit(f"fetchpool ended with {os.waitstatus_to_exitcode(status)}")
    return took, usage.ru_maxrss * 1024


def wrong_pages(path: Path, pages: int) -> int:
    """Return how many pages of the file are missing or wrong."""
    left = set(range(pages))
    for batch in pyarrow.parquet.ParquetFile(path).iter_batches(16, columns=["urlnum", "body"]):
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
        size = made.stat().st_size
    sys.stdout.write(
        f"{given.pages:,} pages of {PAGE:,} bytes, {given.executor}: {took:.0f} s, {memory / 1e6:.0f} MB "
        f"resident; the file has {size / 1e6:,.0f} MB, and {wrong} pages are missing or wrong\n"
    )
    sys.exit(1 if wrong or memory > MOST else 0)


if __name__ == "__main__":
    main()
