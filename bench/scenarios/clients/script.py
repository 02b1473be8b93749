"""A typical script: a thread pool, `requests.get`, a callback that appends to a file."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import requests


def fetch(url: str) -> tuple[str, int]:
    response = requests.get(url, timeout=30)
    response.raise_for_status()
    return url, len(response.content)


def append(future: Future[tuple[str, int]]) -> None:
    url, size = future.result()
    with OUTPUT.open("a") as file:
        file.write(f"url:<{url}> size:[{size}]\n")


LIST, OUTPUT = Path(sys.argv[1]), Path(sys.argv[3])

with LIST.open() as lines, ThreadPoolExecutor(int(sys.argv[2])) as pool:
    for line in lines:
        pool.submit(fetch, line.strip()).add_done_callback(append)
