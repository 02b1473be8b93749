"""The same script by an experienced user of requests: a session per thread, so that connections are reused,
certificate verification included, and one open file.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import requests

LIST, WORKERS, OUTPUT = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
CERTIFICATE = sys.argv[4] if len(sys.argv) > 4 else True

local = threading.local()
lock = threading.Lock()


def fetch(url: str) -> tuple[str, int]:
    session = getattr(local, "session", None)
    if session is None:
        session = local.session = requests.Session()
        session.verify = CERTIFICATE
    response = session.get(url, timeout=30, stream=True)
    response.raise_for_status()
    return url, sum(len(chunk) for chunk in response.iter_content(65_536))


with LIST.open() as lines, OUTPUT.open("w") as file, ThreadPoolExecutor(WORKERS) as pool:

    def append(future: Future[tuple[str, int]]) -> None:
        url, size = future.result()
        with lock:
            file.write(f"url:<{url}> size:[{size}]\n")

    for line in lines:
        pool.submit(fetch, line.strip()).add_done_callback(append)
