"""Compare how curl, wget2, a plain requests script and fetchpool handle the same faults.

    python -m bench.endurance.faults_peers             the table, in Markdown
    python -m bench.endurance.faults_peers --write     into docs/faults_peers.json, which docs/faults.md shows

In: the fault server of the tests. Out: a line per case with the result of each tool, and whether it is
right: a failure for an incomplete response, success for a complete one, no secret sent to another server.
Each tool has the options a careful user would set (a timeout of 2 s, a size limit of 1 MiB where it has
one), and 5 s in all; a tool that has not ended by then hangs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

import fetchpool
from tests.faults.scenarios import further
from tests.faults.server import FaultServer

assert further  # its scenarios are registered by its import

OUTPUT = Path(__file__).parents[2] / "docs" / "faults_peers.json"
TIMEOUT = 2
SECONDS = 5.0
"""Seconds that a tool has for a case."""
LIMIT = 1 << 20
SECRET = "s3cret"
HEADERS = (f"X-Api-Key: {SECRET}", f"Authorization: Bearer {SECRET}", f"Cookie: session={SECRET}")
TOOLS = ("fetchpool", "curl", "wget2", "requests")

CURL = (
    *(
        "curl",
        "--silent",
        "--location",
        "--compressed",
        "--output",
        "-",
        "--write-out",
        "%{stderr}%{http_code}",
    ),
    *("--max-time", str(TIMEOUT), "--max-filesize", str(LIMIT), "--max-redirs", "10"),
)
WGET2 = (
    "wget2",
    "--no-verbose",
    "--tries=1",
    f"--timeout={TIMEOUT}",
    "--max-redirect=10",
    "--output-document=-",
)
SCRIPT = f"""
import json, sys, requests
url, *headers = sys.argv[1:]
try:
    answer = requests.get(url, timeout={TIMEOUT}, headers=dict(line.split(": ", 1) for line in headers))
    sys.stdout.write(json.dumps([True, f"{{answer.status_code}}, {{len(answer.content)}} bytes"]))
except requests.RequestException as error:
    sys.stdout.write(json.dumps([False, type(error).__name__]))
except Exception as error:
    sys.stdout.write(json.dumps([None, type(error).__name__ + " escapes"]))
"""


class Case(NamedTuple):
    """One fault: its number in the list, the server's path, and the correct result."""

    number: int
    path: str
    right: str = "failure"
    """`failure`, `answer`, or `silence`: no secret may be sent to the last server."""
    most: int = 0
    """Bytes that may be delivered for it; 0 is no limit."""


CASES = (
    *(Case(1, path) for path in ("byte-every-300-ms", "trickle-chunked")),
    *(Case(2, path) for path in ("slow-header", "slow-headers")),
    *(Case(3, path) for path in ("endless-continue", "endless-early-hints")),
    *(Case(4, path) for path in ("endless-trailers", "slow-trailer")),
    *(Case(5, path) for path in ("silence", "silence-at-once")),
    *(Case(8, path, most=2 * LIMIT) for path in ("endless-body", "endless-chunks")),
    Case(9, "huge-length"),
    *(Case(10, path, most=2 * LIMIT) for path in ("bomb-gzip", "bomb-deflate", "bomb-br", "bomb-zstd")),
    Case(11, "bomb-redirect", "answer"),
    Case(12, "six-encodings"),
    *(Case(13, f"mislabelled-{coding}") for coding in ("gzip", "deflate", "br")),
    Case(14, "unknown-encoding", "answer"),
    Case(15, "short-body"),
    *(Case(16, path) for path in ("chunked-without-end", "chunk-cut")),
    *(Case(17, path) for path in ("gzip-cut", "gzip-cut-chunked", "cut-deflate", "cut-br", "cut-zstd")),
    *(Case(18, path) for path in ("chunk-size-negative", "chunk-size-huge", "chunk-too-long")),
    *(Case(18, path) for path in ("length-negative", "length-conflicting", "length-words")),
    *(Case(18, path) for path in ("garbage", "http09", "status-1000", "status-words", "header-nul")),
    *(Case(19, path) for path in ("ten-thousand-headers", "ten-megabyte-header")),
    *(Case(20, path) for path in ("empty", "reset", "cut-in-headers")),
    Case(21, "bogus-charset", "answer"),
    Case(22, "redirect-loop"),
    *(Case(23, f"location?{name}") for name in ("file", "gopher", "javascript")),
    *(
        Case(24, f"location?{name}")
        for name in ("half-bracket", "long-host", "empty-label", "spaces", "port")
    ),
    Case(24, "location-twice"),
    Case(25, "another host", "silence"),
    Case(26, "another port", "silence"),
    Case(29, "location-userinfo", "silence"),
)


class Made(NamedTuple):
    """The result of a tool for a case."""

    words: str
    right: bool


class Ended(NamedTuple):
    """The end of a command; no exit code if it had to be killed."""

    code: int | None
    stdout: bytes
    """The beginning of its standard output."""
    size: int
    stderr: str


def main() -> int:
    """Run every tool through every case."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--write", action="store_true")
    write = arguments.parse_args().write
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(row, CASES))
    result = {"versions": versions(), "seconds": SECONDS, "cases": rows}
    if write:
        OUTPUT.write_text(one_case_a_line(result))
    sys.stdout.write("\n".join(table(result)) + "\n")
    return 0


def one_case_a_line(result: dict[str, object]) -> str:
    """Return JSON with one case per line, so that a diff shows which results changed."""
    cases: list[dict[str, object]] = result["cases"]  # type: ignore[assignment]
    head = json.dumps({**result, "cases": []}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    return f"{head.removesuffix(']}')}\n{lines}\n]}}\n"


def row(case: Case) -> dict[str, object]:
    """Run every tool through one case, each with its own servers."""
    made: dict[str, object] = {"number": case.number, "case": case.path, "right": case.right}
    for tool in TOOLS:
        with (
            FaultServer() as server,
            FaultServer(host="127.0.0.2" if case.path == "another host" else "127.0.0.1") as last,
        ):
            url = server.url(case.path)
            if case.path.startswith("another"):
                url = server.url(f"redirect-to?{quote(last.url('capture'), safe='')}")
            else:
                last.received = server.received
            found = TRY[tool](case, url)
            if case.right == "silence":
                found = judged_by_what_it_said(case, found, last)
        made[tool] = [found.words, found.right]
    sys.stderr.write(f"{case.number} {case.path}: {[made[tool] for tool in TOOLS]}\n")
    return made


def judged_by_what_it_said(case: Case, found: Made, last: FaultServer) -> Made:
    """Return the result by whether the last request contained a secret."""
    said = [request for request in last.received if request.scenario == "capture"]
    if not said:
        return Made(f"not followed ({found.words})", True)
    lines = said[-1].lines
    if case.path == "location-userinfo":
        leaked = ["the server's password" for line in lines if line.lower().startswith("authorization:")]
    else:
        leaked = [line.partition(":")[0] for line in lines if SECRET in line]
    return Made(f"sends {', '.join(leaked)}" if leaked else "sends no secret", not leaked)


def verdict(case: Case, answered: bool, words: str, size: int) -> Made:
    """`answered`: the tool reported a complete response."""
    right = answered == (case.right == "answer") and words != "hangs"
    if case.most and size > case.most:
        return Made(words if answered else f"{words}, after {size / LIMIT:.0f} MiB", False)
    return Made(words, right)


def try_fetchpool(case: Case, url: str) -> Made:
    headers = HEADERS if case.number in (25, 26) else ()
    [record] = fetchpool.fetch([url], retry=0, max_time=TIMEOUT, max_filesize=LIMIT, headers=headers)
    words = record.error or f"{record.response_code}, {record.size_delivered} bytes"
    return verdict(case, record.error is None, str(words), record.size_delivered or 0)


def try_curl(case: Case, url: str) -> Made:
    headers = [part for line in HEADERS for part in ("--header", line)] if case.number in (25, 26) else []
    ended = run([*CURL, *headers, url])
    if ended.code is None:
        return verdict(case, False, "hangs", ended.size)
    if ended.code:
        return verdict(case, False, f"exit {ended.code}", ended.size)
    return verdict(case, True, f"{ended.stderr[-3:]}, {ended.size} bytes", ended.size)


def try_wget2(case: Case, url: str) -> Made:
    headers = [f"--header={line}" for line in HEADERS] if case.number in (25, 26) else []
    ended = run([*WGET2, *headers, url])
    if ended.code is None:
        return verdict(case, False, "hangs", ended.size)
    if ended.code:
        return verdict(case, False, f"exit {ended.code}", ended.size)
    if ended.stderr.strip():  # its exit code is 0 even for a connection that was refused
        return verdict(case, False, "exit 0, with a message", ended.size)
    return verdict(case, True, f"exit 0, {ended.size} bytes", ended.size)


def try_requests(case: Case, url: str) -> Made:
    headers = HEADERS if case.number in (25, 26) else ()
    ended = run([sys.executable, "-c", SCRIPT, url, *headers])
    if ended.code is None:
        return verdict(case, False, "hangs", 0)
    answered, words = json.loads(ended.stdout)
    if answered is None:
        return Made(words, False)
    size = re.search(r"(\d+) bytes", words)
    return verdict(case, answered, words, int(size[1]) if size else 0)


TRY = {"fetchpool": try_fetchpool, "curl": try_curl, "wget2": try_wget2, "requests": try_requests}


def run(command: Sequence[str]) -> Ended:
    """Run a command for at most `SECONDS`; its output is counted and discarded."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    size = 0
    first = b""

    def count(stream: IO[bytes]) -> None:
        nonlocal size, first
        while chunk := stream.read1(1 << 16):  # type: ignore[attr-defined]
            first = first or chunk
            size += len(chunk)

    assert process.stdout is not None
    assert process.stderr is not None
    counting = threading.Thread(target=count, args=(process.stdout,))
    counting.start()
    code: int | None
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        code = None
    counting.join()
    said = process.stderr.read().decode(errors="replace")
    process.stdout.close()
    process.stderr.close()
    return Ended(code, first, size, said)


def versions() -> dict[str, str]:
    """Return the versions of the tools."""
    import requests

    said = {
        name: subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
        for name in ("curl", "wget2")
    }
    return {
        "fetchpool": fetchpool.__version__,
        "curl": said["curl"].split()[1],
        "wget2": said["wget2"].split()[2],
        "requests": requests.__version__,
    }


def table(result: dict[str, object]) -> list[str]:
    """Return the results in Markdown; wrong ones are in bold."""
    found: dict[str, str] = result["versions"]  # type: ignore[assignment]
    rows: list[dict[str, object]] = result["cases"]  # type: ignore[assignment]
    lines = [
        f"| | case | {' | '.join(f'{tool} {found[tool]}' for tool in TOOLS)} |",
        f"| ---: | --- | {' | '.join('---' for _ in TOOLS)} |",
    ]
    for each in rows:
        cells = []
        for tool in TOOLS:
            words, right = each[tool]  # type: ignore[misc]
            cells.append(words if right else f"**{words}**")
        lines.append(f"| {each['number']} | {each['case']} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
