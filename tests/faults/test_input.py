"""Input: whatever a list contains, each URL ends in a row, in bounded memory."""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import runner
from tests.faults.matrix import Way, fetch_urls, over_each_transport
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


@over_each_transport
def test_34_unusual_characters_in_a_url_are_encoded_or_an_invalid_url_row(
    server: FaultServer, way: Way
) -> None:
    """Control characters, NUL, quotes, brackets, braces and non-ASCII characters in a path are
    percent-encoded, as in browsers; invalid hosts are `invalid_url`. The URL that was checked is the one that
    is fetched."""
    where = f"127.0.0.1:{server.port}"
    encoded = {
        f"http://{where}/ok\t": "/ok",
        f"\ufeff http://{where}/ok \u0000": None,
        f"http://{where}/a\0b": "/a%00b",
        f"http://{where}/a\x1b[31mb": "/a%1B[31mb",
        f'http://{where}/"<>`': "/%22%3C%3E%60",
        f"http://{where}/{{}}[]|\\": "/%7B%7D[]|/",
        f"http://{where}/caf\u00e9?\u00fc#part": "/caf%C3%A9?%C3%BC",
        f"http://{where}/../../etc/passwd": "/etc/passwd",
        f"http://{where}/%2e%2e/x": "/x",
        f"http://{where}\\ok": "/ok",
        f"http:{where}/ok?slashless": "/ok?slashless",
        f"http:///{where}/ok?three": "/ok?three",
        f"HTTP://{where}/ok?capitals": "/ok?capitals",
        f"http://evil.example@{where}/ok?at": "/ok?at",
        f"http://a@b@{where}/ok?two": "/ok?two",
        f"http://{where}\\@evil.example/": "/@evil.example/",
        f"http://{where}#@evil.example/": "/",
        f"http://{where}?@evil.example/": "/?@evil.example/",
        f"{where}/ok?schemeless": "/ok?schemeless",
    }
    records = fetch_urls(way, list(encoded))
    for record, target in zip(records, encoded.values(), strict=True):
        if target is None:
            continue
        assert record.error in (None, "http_404"), record
        assert record.url_effective == f"http://{where}{target}", record
    said = {request.target for request in server.received}
    assert {target for target in encoded.values() if target is not None} <= said
    hosts = {request.headers()["host"] for request in server.received}
    assert hosts == {where}, "none went anywhere else, nor says so"


@over_each_transport
def test_34_invalid_hosts_are_invalid_urls(way: Way) -> None:
    """300 characters, empty labels, forbidden characters, invalid ports, names of mixed scripts that no
    registry accepts: `invalid_url`, or `dns` if only the name server can tell; never an exception."""
    invalid = [
        "http://",
        "http://?",
        "http://#",
        "http:// /",
        "http://a b/",
        "http://a\0b/",
        "http://[::1",
        "http://::1/",
        "http://[zz]/",
        "http://h:port/",
        "http://h:99999/",
        "http://h:-1/",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        f"http://{'a' * 300}/",
        f"http://{'a.' * 150}b/",
        "http://a..b/",
        "http://.a/",
        "http://%zz/",
        "http://a%00b/",
        "http://a<b>/",
        "http://xn--a/",
        "http://\u202ee/",
        "http://exa\u00admple\ufffd/",
        "http://a\udc80b/",
        "",
        "\udc80\udc81",
        "://",
        "http",
        "//",
        "http://h/" + "x" * 70_000,
    ]
    records = fetch_urls(way, invalid)
    for record in records:
        assert record.error in ("invalid_url", "dns", "timeout_dns"), record
        assert record.url.isprintable()
    assert [record.error for record in records].count("invalid_url") >= len(invalid) - 4


PEAK_OF_A_LINE = """
import re, sys
from pathlib import Path
from fetchpool.__main__ import main
sys.argv = ["fetchpool", "-", "-o", "rows.jsonl", "-q"]
try:
    main()
except SystemExit as end:
    code = end.code
else:
    code = 0
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
print(int(peak[1]) << 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_34_a_line_of_a_gigabyte_is_one_row_in_bounded_memory(server: FaultServer, tmp_path: Path) -> None:
    """A line of more than 65,536 characters is `invalid_url`; the rest of it is neither stored nor shown."""
    process = subprocess.Popen(
        [sys.executable, "-c", PEAK_OF_A_LINE],
        cwd=tmp_path,
        env=runner.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"http://h/")
    block = b"x" * (1 << 20)
    for _ in range(1 << 10):
        process.stdin.write(block)
    process.stdin.write(f"\n{server.url('ok')}\n".encode())
    stdout, _ = process.communicate(timeout=runner.PATIENCE)
    assert int(stdout) < 120 << 20
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted((row["urlnum"], row["error"]) for row in rows) == [(0, "invalid_url"), (1, None)]
    assert all(len(row["url"]) < 70_000 for row in rows)


def test_34_bytes_that_are_not_utf_8_are_an_invalid_url_and_not_another_url(
    server: FaultServer, tmp_path: Path
) -> None:
    """A list in Latin-1, with CR line ends, a byte order mark, blank lines and comments: UTF-8 lines are
    fetched, others become rows."""
    url = server.url("ok")
    lines = [b"\xef\xbb\xbf# comment", b"", f"  {url}?1  ".encode(), b"http://h/\xff\xfe", url.encode()]
    (tmp_path / "urls.txt").write_bytes(b"\r".join(lines) + b"\r\n\r\n")
    done = runner.fetchpool("urls.txt", "-o", "-", "-q", cwd=tmp_path)
    assert done.returncode == 1
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            f"url:<{url}?1> size:[{len(PAGE)}]",
            "url:<http://h/\\udcff\\udcfe> error:[invalid_url]",
            f"url:<{url}> size:[{len(PAGE)}]",
        ]
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """What was said on stderr, in one line that begins with our name."""
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("fetchpool: ")
    return line


def without_roots_override() -> None:
    """What is executed next may not read every file there is, though it be root's (capabilities(7))."""
    if sys.platform == "linux":
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_35_an_input_that_cannot_be_read_is_a_clear_error_and_exit_2(tmp_path: Path) -> None:
    """A missing file, a directory, a file without permission, a file that is not gzip despite its suffix: one
    line that names it and the fix, exit code 2, and no traceback."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "list.gz").write_bytes(b"http://h/")
    closed = tmp_path / "closed.txt"
    closed.write_text("http://h/")
    closed.chmod(0)
    assert "missing.txt: no such file" in refused(runner.fetchpool("missing.txt", cwd=tmp_path))
    assert "directory: is a directory" in refused(runner.fetchpool("directory", cwd=tmp_path))
    assert "list.gz: not a gzip" in refused(runner.fetchpool("list.gz", cwd=tmp_path))
    assert "NUL" not in refused(runner.fetchpool("a\nb", cwd=tmp_path))
    done = subprocess.run(
        [*runner.FETCHPOOL, "closed.txt", "-o", "-"],
        capture_output=True,
        cwd=tmp_path,
        env=runner.environment(),
        preexec_fn=without_roots_override,
        timeout=runner.PATIENCE,
        check=False,
    )
    line = refused(subprocess.CompletedProcess(done.args, done.returncode, "", done.stderr.decode()))
    assert "closed.txt: permission denied" in line


def test_35_the_readable_part_of_a_truncated_gzip_file_is_fetched(
    server: FaultServer, tmp_path: Path
) -> None:
    """Exit code 2 and a message; the URLs before the end have their rows."""
    urls = [server.url(f"ok?{number}") for number in range(20)]
    noise = [f"# {os.urandom(600).hex()}" for _ in range(100)]
    packed = gzip.compress("\n".join([*urls, *noise]).encode())
    (tmp_path / "urls.txt.gz").write_bytes(packed[: len(packed) // 2])
    done = runner.fetchpool("urls.txt.gz", "-o", "-", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 20
    assert re.search(r"^fetchpool: urls.txt.gz: truncated", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["", "\n\n# nothing but a comment\n \t\n"])
def test_35_an_empty_list_is_reported_and_not_a_failure(tmp_path: Path, content: str) -> None:
    """Exit code 0 and a message."""
    (tmp_path / "urls.txt").write_text(content)
    done = runner.fetchpool("urls.txt", "-o", "-", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "the input contains no URLs" in done.stderr
    assert "Traceback" not in done.stderr
