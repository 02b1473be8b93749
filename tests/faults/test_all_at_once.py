"""All faults in one list, from a shell: exactly one line for each URL, and exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import runner
from tests.faults.matrix import at_once
from tests.faults.scenarios.broken import BROKEN_RESPONSES, bomb
from tests.faults.scenarios.further import CODINGS
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer
from tests.measured import measured

ERRORS = {
    **dict.fromkeys(("byte-every-300-ms", "trickle-chunked", "slow-status", "slow-header"), "timeout_total"),
    **dict.fromkeys(("endless-continue", "endless-trailers", "slow-trailer"), "timeout_total"),
    **dict.fromkeys(
        ("silence", "silence-in-body", "silence-without-length", "silence-at-once"), "timeout_read"
    ),
    **dict.fromkeys(("endless-body", "endless-chunks", "huge-length", "huger-length"), "too_large"),
    **dict.fromkeys((f"bomb-{coding}" for coding in CODINGS), "too_large"),
    **dict.fromkeys((f"mislabelled-{coding}" for coding in CODINGS), "decode"),
    **dict.fromkeys((f"cut-{coding}" for coding in CODINGS), "truncated"),
    **dict.fromkeys(("short-body", "chunked-without-end", "chunk-cut", "cut-in-headers"), "truncated"),
    **dict.fromkeys(
        (*BROKEN_RESPONSES, "http20-status", "ten-megabyte-header", "location-twice"), "protocol"
    ),
    **dict.fromkeys(("flood-of-continue", "flood-of-trailers"), "protocol"),
    **dict.fromkeys(("empty", "closed-after-continue"), "empty_reply"),
    **dict.fromkeys(("reset", "reset-in-body"), "reset"),
    **dict.fromkeys(("redirect-loop", "redirect?11"), "too_many_redirects"),
    **dict.fromkeys(("location?file", "location?javascript"), "unsupported_scheme"),
    **dict.fromkeys(("location?half-bracket", "location?long-host", "location?port"), "invalid_url"),
    "six-encodings": "decode",
    "no-such-page": "http_404",
}
PAGES = ("ok", "chunked", "until-closed", "http10", "gzip", "continue", "bomb-redirect", "redirect?3")


@pytest.fixture(scope="module")
def bombs() -> None:
    """Made beforehand: it takes its time, and a server that makes it is silent."""
    for coding in CODINGS:
        bomb(coding)


@pytest.mark.usefixtures("bombs")
@pytest.mark.parametrize(
    ("executor", "transport"), [("thread", "curl"), ("thread", "requests"), ("async", "curl")]
)
@at_once()
@measured
def test_every_fault_is_one_line_and_the_good_pages_are_fetched(
    server: FaultServer, tmp_path: Path, executor: str, transport: str
) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(server.url(path) for path in (*ERRORS, *PAGES)))
    done = runner.fetchpool(
        *("urls.txt", "-o", "-", "-w", "60", "--per-host", "0", "--retry", "0", "--max-filesize", "1M"),
        *("--max-time", "2s", "--read-timeout", "1s", "--executor", executor, "--transport", transport),
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    rows = set(done.stdout.splitlines())
    assert len(done.stdout.splitlines()) == len(ERRORS) + len(PAGES)
    assert {f"url:<{server.url(path)}> error:[{error}]" for path, error in ERRORS.items()} <= rows
    sizes = {path: len(PAGE) for path in PAGES} | {"chunked": 16}
    assert {f"url:<{server.url(path)}> size:[{size}]" for path, size in sizes.items()} <= rows
