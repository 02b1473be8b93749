"""Memory: memory is limited in bytes, not only in numbers of rows or requests."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

import fetchpool
from fetchpool.engine.completed import CompletedAttempt
from fetchpool.engine.in_flight import previous_attempts
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal
from fetchpool.sinks.spool import SpooledBody
from fetchpool.sources import tables
from fetchpool.sources.table_rows import TableOptions
from tests.cli import runner
from tests.faults.matrix import at_once
from tests.faults.server import FaultServer

ENOUGH = 110 << 20
"""Most bytes read of a list whose host does not respond: 64 MiB, and what was being read."""

QUICK = ("-q", "-w", "3", "--per-host", "2", "--retry", "0", "--max-time", "2.2", "--max-runtime", "2")


def long_url(url: str, number: int) -> str:
    return f"{url}?{number}{'y' * 60_000}\n"


def wide_row(url: str, number: int) -> str:
    return json.dumps({"url": f"{url}?{number}", "text": "x" * 100_000}) + "\n"


def many_fields(url: str, number: int) -> str:
    return f"{url}?{number}" + "," * 3_000 + "\n"


@pytest.mark.parametrize(
    ("executor", "line", "options", "most"),
    [
        ("thread", long_url, [], ENOUGH),
        ("async", wide_row, ["--url-column", "url", "--keep-columns"], ENOUGH),
        ("process", wide_row, ["--url-column", "url", "--keep-columns"], ENOUGH),
        ("thread", many_fields, ["--url-column", "column", "--keep-columns"], ENOUGH // 50),
    ],
    ids=["urls", "columns", "columns-process", "fields"],
)
@at_once()
def test_62_reading_ahead_is_limited_by_memory(
    tmp_path: Path, executor: str, line: object, options: list[str], most: int
) -> None:
    """While the only host does not respond, at most 64 MiB of requests are read ahead, or 256 KiB per worker,
    not 10,000 requests of any size. Empty cells count with their real size."""
    assert callable(line)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        process = runner.popen(
            [*runner.FETCHPOOL, "-", "-o", "rows.jsonl", *QUICK, "--executor", executor, *options],
            cwd=tmp_path,
            env=runner.environment(),
            stdin=subprocess.PIPE,
        )
        taken = 0
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(b"column" + b",x" * 3_000 + b"\n" if line is many_fields else b"")
            for number in range(4_000):
                data = line(url, number).encode()
                process.stdin.write(data)
                taken += len(data)
        with suppress(BrokenPipeError):
            process.stdin.close()
        assert process.wait(runner.PATIENCE) in (1, 4)
    assert taken < most


def test_62_archived_records_are_freed_without_the_garbage_collector(
    server: FaultServer, tmp_path: Path
) -> None:
    """Each response has up to 256 KiB of records, and there are thousands of responses between two
    collections."""
    gc.collect()
    gc.disable()
    try:
        for executor in ("async", "thread"):
            pages = [server.url(f"ok?{number}") for number in range(5)]
            archive = tmp_path / f"{executor}.warc.gz"
            assert len(list(fetchpool.fetch(pages, executor=executor, warc=archive))) == 5
        assert [each for each in gc.get_objects() if type(each) is SpooledBody] == []
    finally:
        gc.enable()


def test_62_archived_records_are_written_before_the_retry() -> None:
    """Records are written when they arrive, since as many attempts may wait for a retry as there are URLs."""
    request = urls.request(0, "http://h/")
    outcome = replace(refusal(request, FailureKind.RESET), warc_records=bytes(1 << 18))
    kept = previous_attempts(0.0, CompletedAttempt(request, outcome), outcome)
    assert kept.last.outcome == replace(outcome, warc_records=b"")
    assert 0 < kept.weight < 100


@pytest.mark.parametrize(("letter", "width"), [("x", 1), ("é", 1), ("ж", 2), ("😀", 4)])
def test_62_a_text_counts_as_the_memory_that_it_takes(letter: str, width: int) -> None:
    """Beyond Latin-1 a character takes two or four bytes, and its UTF-8 is kept as well."""
    href = "http://h/?"
    request = urls.request(0, href + letter * 20_000)
    weight = request.weight - len(request.href)
    assert width * 20_000 <= weight < 2 * width * 20_000 + len(request.url.encode())


def test_62_the_columns_of_a_line_count_as_the_memory_that_they_take() -> None:
    """One character beyond Latin-1 makes all of the line take more."""
    for format, row in (("csv", "http://h/,{}\n"), ("jsonl", '{{"url":"http://h/","b":"{}"}}\n')):
        weights = []
        for last in "x😀":
            text = row.format("x" * 20_000 + last)
            data = (text if format == "jsonl" else f"url,b\n{text}").encode()
            batches = tables.read(iter([(data, len(data))]), format, TableOptions("url", keep=True))
            weights.append(sum(sum(batch.weights) for batch in batches))
        assert weights[1] - weights[0] > 3 * 20_000
