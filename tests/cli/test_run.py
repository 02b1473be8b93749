"""The main job from a shell: rows in files and pipes, words on stderr, exit codes."""

from __future__ import annotations

import csv
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.choices import LOCAL_EXECUTORS, TRANSPORTS
from fetchpool.scheduler.autoscale import START
from tests.cli.runner import PATIENCE, environment, fetchpool, start
from tests.measured import measured


def listed(directory: Path, *urls: str) -> None:
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
def test_a_list_becomes_one_line_per_url(demo_server: DemoServer, tmp_path: Path, executor: str) -> None:
    urls = [demo_server.url(f"/bytes/{size}") for size in range(20)]
    listed(tmp_path, *urls)
    done = fetchpool("urls.txt", "-w", "2", "--executor", executor, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "20 URLs in " in done.stderr
    assert "20 rows to sizes.txt" in done.stderr
    rows = (tmp_path / "sizes.txt").read_text().splitlines()
    assert sorted(rows) == sorted(f"url:<{url}> size:[{size}]" for size, url in enumerate(urls))


@pytest.mark.parametrize("executor", ["thread", "async"])
@measured
def test_auto_finds_more_workers_where_waiting_is_all_there_is(
    demo_server: DemoServer, tmp_path: Path, executor: str
) -> None:
    listed(tmp_path, *(demo_server.url(f"/delay/100?{number}") for number in range(2000)))
    done = fetchpool("urls.txt", "-w", "auto", "--per-host", "0", "--executor", executor, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = re.search(r"workers \(([\d,]+), chosen by -w auto", done.stderr)
    assert found, done.stderr
    assert int(found[1].replace(",", "")) >= 4 * START


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_url_that_fails_has_its_row_and_the_exit_code_is_1(
    demo_server: DemoServer, tmp_path: Path, transport: str
) -> None:
    urls = [demo_server.url("/bytes/5"), demo_server.url("/status/404"), "http://[::1", "gopher://old/"]
    listed(tmp_path, *urls)
    done = fetchpool("urls.txt", "-o", "-", "-q", "--transport", transport, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            f"url:<{urls[0]}> size:[5]",
            f"url:<{urls[1]}> error:[http_404]",
            "url:<http://[::1> error:[invalid_url]",
            "url:<gopher://old/> error:[unsupported_scheme]",
        ]
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_quoted_url_is_an_invalid_url_row_without_a_lookup(tmp_path: Path, transport: str) -> None:
    lines = ['"http://h/4.html"', "'h.example/x'", '"http://h/x']
    listed(tmp_path, *lines)
    done = fetchpool("urls.txt", "-o", "rows.jsonl", "--transport", transport, cwd=tmp_path)
    assert done.returncode == 1
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["url"], row["error"], row["errormsg"]) for row in rows] == [
        (lines[0], "invalid_url", 'quotes (") around the URL; write only the URL'),
        (lines[1], "invalid_url", "quotes (') around the URL; write only the URL"),
        (lines[2], "invalid_url", "text before the scheme; write only the URL"),
    ]


def test_outputs_are_appended_to_in_their_own_formats(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, demo_server.url("/gzip/5000"))
    outputs = ("-o", "rows.jsonl", "-o", "rows.csv", "-o", "rows.txt")
    for _ in range(2):
        assert fetchpool("urls.txt", *outputs, "--parse", "title", cwd=tmp_path).returncode == 0
    objects = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    with (tmp_path / "rows.csv").open(newline="") as table:
        cells = list(csv.DictReader(table))
    assert [row["size_delivered"] for row in objects] == [5000, 5000]
    assert [row["size_delivered"] for row in cells] == ["5000", "5000"]
    assert (tmp_path / "rows.txt").read_text() == f"url:<{demo_server.url('/gzip/5000')}> size:[5000]\n" * 2


def test_standard_input_is_read_where_nothing_else_is_named(demo_server: DemoServer, tmp_path: Path) -> None:
    for arguments in ((), ("-",)):
        done = fetchpool(*arguments, "-o", "-", stdin=demo_server.url("/bytes/7"), cwd=tmp_path)
        assert (done.stdout, done.returncode) == (f"url:<{demo_server.url('/bytes/7')}> size:[7]\n", 0)


def test_several_inputs_are_one_list_and_gz_is_read_as_such(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"\ufeff# a comment\r\n\r\n{demo_server.url('/bytes/1')}\r\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(f"127.0.0.1:{demo_server.port}/bytes/2".encode()))
    done = fetchpool("a.txt", "b.txt.gz", "-o", "-", "--format", "jsonl", cwd=tmp_path)
    rows = sorted((row["urlnum"], row["size_delivered"]) for row in map(json.loads, done.stdout.splitlines()))
    assert rows == [(0, 1), (1, 2)]


def test_the_first_row_of_a_pipe_that_stays_open_is_there_at_once(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    running = start("-o", "-", cwd=tmp_path, stdin=subprocess.PIPE)
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(f"{demo_server.url('/bytes/3')}\n".encode())
    running.stdin.flush()
    assert running.stdout.readline().decode() == f"url:<{demo_server.url('/bytes/3')}> size:[3]\n"
    running.stdin.write(f"{demo_server.url('/bytes/4')}\n".encode())
    rest, _ = running.communicate(timeout=PATIENCE)
    assert rest.decode() == f"url:<{demo_server.url('/bytes/4')}> size:[4]\n"
    assert running.returncode == 0


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, *(demo_server.url(f"/bytes/{size}") for size in range(5000)))
    running = start("urls.txt", "-o", "-", cwd=tmp_path)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline().startswith(b"url:<")
    running.stdout.close()
    with running.stderr as stderr:
        assert stderr.read() == b""
    assert running.wait(PATIENCE) == 0


def test_an_empty_list_is_reported_and_is_no_failure(tmp_path: Path) -> None:
    done = fetchpool("-", stdin="# nothing yet\n\n", cwd=tmp_path)
    assert done.returncode == 0
    assert "nothing to fetch" in done.stderr


def test_one_missing_file_among_several_is_reported_before_anything_is_fetched(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    listed(tmp_path, demo_server.url("/bytes/1"))
    asked = demo_server.requests
    done = fetchpool("urls.txt", "more.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert "more.txt" in done.stderr
    assert demo_server.requests == asked


def test_a_truncated_input_is_reported_and_its_readable_part_is_fetched(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    lines = "".join(f"{demo_server.url('/bytes/1')}?{number}\n" for number in range(2000))
    (tmp_path / "urls.txt.gz").write_bytes(gzip.compress(lines.encode())[:-200])
    done = fetchpool("urls.txt.gz", "--no-progress", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("fetchpool: ")
    assert "urls.txt.gz" in done.stderr.splitlines()[-1]
    assert len((tmp_path / "sizes.txt").read_text().splitlines()) > 100


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_our_own_failure(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, demo_server.url("/bytes/1"))
    done = fetchpool("urls.txt", "-o", "/dev/full", cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "/dev/full" in done.stderr.splitlines()[-1]


def test_a_file_named_like_a_command_is_reached_by_its_path(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text(f"{demo_server.url('/bytes/6')}\n")
    done = fetchpool("./demo", "-o", "-", cwd=tmp_path)
    assert done.stdout == f"url:<{demo_server.url('/bytes/6')}> size:[6]\n"


def test_the_request_follows_the_flags(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "seen.py").write_text("def headers(response):\n    return {'seen': response.json()}\n")
    listed(tmp_path, demo_server.url("/headers"))
    flags = ("-A", "me/1", "-H", "X-One: 1", "-u", "name:pass", "--parse", "seen:headers", "-o", "-")
    done = fetchpool("urls.txt", *flags, "--format", "jsonl", cwd=tmp_path)
    row = json.loads(done.stdout)
    seen = {name.lower(): value for name, value in row["seen"].items()}
    assert seen["user-agent"] == "me/1"
    assert seen["x-one"] == "1"
    assert seen["authorization"] == "Basic bmFtZTpwYXNz"
    assert (
        json.loads(fetchpool("-I", "-o", "-", "--format", "jsonl", stdin=demo_server.url("/bytes/9")).stdout)[
            "method"
        ]
        == "HEAD"
    )


def test_a_run_ends_at_its_max_runtime(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, *(demo_server.url(f"/delay/100?runtime{place}") for place in range(500)))
    done = fetchpool("urls.txt", "-w", "1", "--max-runtime", "400ms", cwd=tmp_path)
    assert done.returncode == 4
    assert 1 <= len((tmp_path / "sizes.txt").read_text().splitlines()) < 50
    assert "\nstopped by --max-runtime after " in f"\n{done.stderr}"
    assert done.stderr.endswith("\nto continue: run the same command with --resume\n")


def test_a_run_to_standard_output_does_not_offer_resume(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, *(demo_server.url(f"/delay/100?once{place}") for place in range(500)))
    done = fetchpool("urls.txt", "-w", "1", "--max-runtime", "400ms", "-o", "-", cwd=tmp_path)
    assert done.returncode == 4
    assert "--resume" not in done.stderr


def test_a_title_has_a_column_and_a_text_output_prints_a_notice(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    listed(tmp_path, demo_server.url("/page/1"))
    done = fetchpool("urls.txt", "--parse", "title", "-o", "rows.csv", cwd=tmp_path)
    assert "text output lacks" not in done.stderr
    with (tmp_path / "rows.csv").open() as rows:
        (row,) = csv.DictReader(rows)
    assert (row["title"], row["extra"]) == ("Demo page 1", "")
    done = fetchpool("urls.txt", "--parse", "title", "-o", "rows.txt", cwd=tmp_path)
    assert "fetchpool: text output lacks the fields of --parse; use -o rows.jsonl" in done.stderr


PRINTING = """
import ctypes, os

def count(response):
    print("from Python")
    os.write(1, b"from the system\\n")
    os.system("echo from another program")
    ctypes.CDLL(None).printf(b"from C\\n")
    return {"words": 2}
"""


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
def test_text_that_a_parser_prints_is_not_among_the_rows_on_standard_output(
    demo_server: DemoServer, tmp_path: Path, executor: str
) -> None:
    (tmp_path / "printing.py").write_text(PRINTING)
    listed(tmp_path, *(demo_server.url(f"/bytes/{size}") for size in range(20)))
    parsed = ("urls.txt", "--parse", "printing:count", "--format", "jsonl")
    asked = (*parsed, "--executor", executor, "-w", "2", "-q")
    done = fetchpool(*asked, "-o", "-", cwd=tmp_path)
    assert done.returncode == 0
    assert [json.loads(line)["words"] for line in done.stdout.splitlines()] == [2] * 20
    for words in ("from Python", "from the system", "from another program"):
        assert done.stderr.count(words) == 20
    assert "from C" in done.stderr or executor == "process"  # which ends without emptying C's buffer
    done = fetchpool(*asked, "-o", "rows.jsonl", cwd=tmp_path)
    assert "from Python" in done.stdout  # with rows in a file, it is the parser's


def test_a_reader_that_leaves_a_run_whose_parser_prints_is_no_failure(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    (tmp_path / "printing.py").write_text("def count(response):\n    print('x' * 500)\n    return {}\n")
    listed(tmp_path, *(demo_server.url(f"/bytes/{size}") for size in range(5000)))
    running = start("urls.txt", "--parse", "printing:count", "-q", "-o", "-", cwd=tmp_path)
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b"url:<")
    running.stdout.close()
    _, said = running.communicate(timeout=PATIENCE)
    assert set(said) <= set(b"x\n")
    assert running.returncode == 0


def test_verbose_names_each_failure_and_retry(demo_server: DemoServer, tmp_path: Path) -> None:
    flaky = demo_server.url("/flaky/1?verbose")
    listed(tmp_path, demo_server.url("/status/410"), flaky)
    done = fetchpool("urls.txt", "-v", "--retry-delay", "10ms", cwd=tmp_path)
    assert f"fetchpool: failed http_410 {demo_server.url('/status/410')}" in done.stderr
    assert f"fetchpool: retry http_500 {flaky}" in done.stderr
    assert done.returncode == 1


def test_quiet_is_quiet(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, demo_server.url("/status/404"))
    done = fetchpool("urls.txt", "-q", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 1)


def test_secrets_in_urls_are_shown_nowhere(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, f"http://me:s3cret@127.0.0.1:{demo_server.port}/status/403")
    done = fetchpool("urls.txt", "-v", "-o", "rows.jsonl", "-o", "-", cwd=tmp_path)
    everything = done.stdout + done.stderr + (tmp_path / "rows.jsonl").read_text()
    assert "***@127.0.0.1" in everything
    assert "s3cret" not in everything


def test_closed_streams_are_no_reason_to_fail(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, demo_server.url("/bytes/2"))
    script = 'exec "$0" -m fetchpool urls.txt <&- >&- 2>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable],
        cwd=tmp_path,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "sizes.txt").read_text() == f"url:<{demo_server.url('/bytes/2')}> size:[2]\n"
