"""The programs to measure: a function per program, from an order to a command.

In: an `Order`. Out: a `Call`: the command, and a function that reads from its output whether it did what was
asked. Every program reuses connections and discards bodies if it can, and writes a line per URL if it can. A
program that is not installed is skipped with a message.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct, json

COMPILED = Path(__file__).parents[2] / "build/compiled"
"""The directory of fetchpool's compiled build (`make compiled`)."""
SIZE = re.compile(rb"size:\[(\d+)\]")


class Order(Struct, frozen=True):
    """The list to fetch, and how."""

    directory: Path
    """An empty directory for the program's files."""
    urls: Path
    """The list, one distinct URL per line."""
    count: int
    workers: int
    """Concurrent requests; 0 leaves it to the program."""
    authority: Path | None
    """The certificate to trust, for https."""
    small: bool
    """Whether this is the short run, which is subtracted from the long one."""


class Tally(Struct, frozen=True):
    """URLs fetched completely and without an error, according to the program."""

    count: int
    size: int | None
    """Total bytes; None if the program doesn't report them."""


class Call(Struct, frozen=True):
    """A command, and how to read its output."""

    command: list[str | Path]
    tally: Callable[[], Tally] | None = None
    """None if the program reports nothing: then the server's count is used."""
    keeps_output: bool = False
    """Whether standard output goes to the file `stdout` of the order's directory."""
    terminal: bool = False


class Peer(Struct, frozen=True):
    """A program with certain options."""

    name: str
    call: Callable[[Order], Call]
    needs: str
    """A program that must be on the path, `module:` and a Python module, or `build:` and a directory of a
    build for this Python."""

    def missing(self) -> str | None:
        """Return what has to be installed; None if nothing is missing."""
        kind, _, name = self.needs.partition(":")
        if kind == "build":
            engine = f"fetchpool/engine/engine{sysconfig.get_config_var('EXT_SUFFIX')}"
            return None if Path(name, engine).exists() else "the compiled build (make compiled)"
        there = find_spec(name) is not None if name else shutil.which(kind) is not None
        return None if there else name or kind


def ours(name: str, *options: str, module: str = "", terminal: bool = False, compiled: bool = False) -> Peer:
    """Return fetchpool with these options, no limit per host, and a full row per URL as JSON."""

    def call(order: Order) -> Call:
        rows = order.directory / "rows.jsonl"
        command: list[str | Path] = ["env", f"PYTHONPATH={COMPILED}"] if compiled else []
        command += [sys.executable, "-m", "fetchpool", order.urls, "-o", rows]
        command += ["-w", str(order.workers or "auto"), "--per-host", "0", *options]
        if not terminal:
            command += ["-q", "--no-progress"]
        if order.authority is not None:
            command += ["--cacert", order.authority]
        return Call(command, lambda: rows_tally(rows), terminal=terminal)

    return Peer(name, call, f"build:{COMPILED}" if compiled else f"module:{module or 'fetchpool'}")


def curl(order: Order) -> Call:
    """Return curl in its parallel mode, which takes 300 at once at most."""
    config = order.directory / "curl.config"
    with order.urls.open() as lines, config.open("w") as file:
        for line in lines:
            file.write(f'url = "{line.strip()}"\noutput = "/dev/null"\n')
    command: list[str | Path] = ["curl", "-sSf", "-Z", "--parallel-max", str(order.workers), "-K", config]
    if order.authority is not None:
        command += ["--cacert", order.authority]
    command += ["-w", "size:[%{size_download}]\\n"]
    return Call(command, lambda: text_tally(order.directory / "stdout"), keeps_output=True)


def wget2(order: Order) -> Call:
    """Return wget2, which reports no counts and fetches duplicate URLs once."""
    command: list[str | Path] = ["wget2", "-q", f"--max-threads={order.workers}", "-O", "/dev/null"]
    if order.authority is not None:
        command.append(f"--ca-certificate={order.authority}")
    return Call([*command, "-i", order.urls])


def aria2(order: Order) -> Call:
    """Return aria2, which can't discard bodies: the files are counted."""
    target = order.directory / "files"
    command: list[str | Path] = ["aria2c", "-q", "-j", str(order.workers), "--file-allocation=none"]
    command += ["--auto-file-renaming=true", "-d", target, "-i", order.urls]
    if order.authority is not None:
        command.append(f"--ca-certificate={order.authority}")

    def tally() -> Tally:
        sizes = [file.stat().st_size for file in target.iterdir()]
        return Tally(len(sizes), sum(sizes))

    return Call(command, tally)


def xargs(order: Order) -> Call:
    """Return xargs with a curl for every URL."""
    command: list[str | Path] = ["xargs", "-a", order.urls, "-P", str(order.workers), "-n", "1"]
    command += ["curl", "-sSf", "-o", "/dev/null", "-w", "size:[%{size_download}]\\n"]
    return Call(command, lambda: text_tally(order.directory / "stdout"), keeps_output=True)


def wrk(order: Order) -> Call:
    """Return wrk as the upper limit: it fetches one URL repeatedly for some time and discards the
    responses."""
    with order.urls.open() as lines:
        url = next(lines).strip()
    command = ["wrk", "-t1", f"-c{order.workers}", "-d1s" if order.small else "-d4s", url]

    def tally() -> Tally:
        said = re.search(r"(\d+) requests in", (order.directory / "stdout").read_text())
        return Tally(int(said[1]) if said else 0, None)

    return Call([*command], tally, keeps_output=True)


def client(module: str) -> Callable[[Order], Call]:
    """Return one of the scripts of `clients/`."""

    def call(order: Order) -> Call:
        rows = order.directory / "rows.txt"
        command: list[str | Path] = [sys.executable, "-m", f"bench.scenarios.clients.{module}"]
        command += [order.urls, str(order.workers), rows]
        if order.authority is not None:
            command.append(order.authority)
        return Call(command, lambda: text_tally(rows))

    return call


def rows_tally(rows: Path) -> Tally:
    """Count fetchpool's rows; an error or an incomplete row does not count."""
    count = size = 0
    decoder = json.Decoder(Row)
    with rows.open("rb") as lines:
        for line in lines:
            row = decoder.decode(line)
            if row.error is None and row.response_code == 200:
                count += 1
                size += row.size_delivered or 0
    return Tally(count, size)


class Row(Struct):
    """The fields of a row that are needed."""

    error: str | None
    response_code: int | None
    size_delivered: int | None


def text_tally(lines: Path) -> Tally:
    """Count lines with `size:[BYTES]`."""
    sizes = [int(size) for size in SIZE.findall(lines.read_bytes())]
    return Tally(len(sizes), sum(sizes))


ASYNC = ours("fetchpool async", "--executor", "async", module="pycurl")
ASYNC_COMPILED = ours("fetchpool async, compiled", "--executor", "async", compiled=True)
THREAD = ours("fetchpool thread", "--executor", "thread", module="pycurl")
PROCESSES = ("--executor", "process", "--processes", "2")
PROCESS = ours("fetchpool process", *PROCESSES, module="pycurl")
PROCESS_COMPILED = ours("fetchpool process, compiled", *PROCESSES, compiled=True)
REQUESTS = ours("fetchpool thread, requests", "--executor", "thread", "--transport", "requests")

CURL = Peer("curl -Z", curl, "curl")
WGET2 = Peer("wget2", wget2, "wget2")
ARIA2 = Peer("aria2c", aria2, "aria2c")
XARGS = Peer("xargs curl", xargs, "xargs")
WRK = Peer("wrk (the limit)", wrk, "wrk")
AIOHTTP = Peer("aiohttp", client("with_aiohttp"), "module:aiohttp")
HTTPX = Peer("httpx", client("with_httpx"), "module:httpx")
SCRIPT = Peer("script of today", client("script"), "module:requests")
SESSION = Peer("script with sessions", client("session"), "module:requests")
