"""aiohttp, with uvloop if installed: as many tasks as workers, one session, one open file."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import aiohttp

LIST, WORKERS, OUTPUT = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
CONTEXT = ssl.create_default_context(cafile=sys.argv[4]) if len(sys.argv) > 4 else True


async def work(session: aiohttp.ClientSession, urls: Iterator[str], file: TextIO) -> None:
    for line in urls:
        url = line.strip()
        size = 0
        async with session.get(url) as response:
            response.raise_for_status()
            async for chunk in response.content.iter_any():
                size += len(chunk)
        file.write(f"url:<{url}> size:[{size}]\n")


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=WORKERS, ssl=CONTEXT)
    with LIST.open() as urls, OUTPUT.open("w") as file:
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(work(session, urls, file) for _ in range(WORKERS)))


with suppress(ImportError):
    import uvloop

    uvloop.install()
asyncio.run(main())
