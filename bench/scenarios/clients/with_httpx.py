"""httpx's asynchronous client, with HTTP/2 if the server supports it: as many tasks as workers."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import httpx

LIST, WORKERS, OUTPUT = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
CONTEXT = ssl.create_default_context(cafile=sys.argv[4]) if len(sys.argv) > 4 else True


async def work(client: httpx.AsyncClient, urls: Iterator[str], file: TextIO) -> None:
    for line in urls:
        url = line.strip()
        size = 0
        async with client.stream("GET", url) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                size += len(chunk)
        file.write(f"url:<{url}> size:[{size}]\n")


async def main() -> None:
    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    with LIST.open() as urls, OUTPUT.open("w") as file:
        async with httpx.AsyncClient(
            limits=limits, http2=len(sys.argv) > 4, verify=CONTEXT, timeout=60
        ) as client:
            await asyncio.gather(*(work(client, urls, file) for _ in range(WORKERS)))


asyncio.run(main())
