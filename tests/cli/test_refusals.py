"""Mistakes of users: one line that names the fix, exit code 2, and no side effects."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetchpool.cli.main import main
from fetchpool.cli.session import NOT_STARTED
from fetchpool.config.choices import EXECUTORS
from tests.cli.runner import fetchpool

REFUSALS = [
    (("--worker", "3"), "no such option: --worker; did you mean --workers?"),
    (("--retries", "5"), "no such option: --retries; did you mean --retry?"),
    (("--headers", "A: 1"), "no such option: --headers; did you mean --header?"),
    (("--max-redirects", "5"), "no such option: --max-redirects; did you mean --max-redirs?"),
    (("--threads", "5"), "no such option: --threads; did you mean --workers?"),
    (("--timeout", "5"), "no such option: --timeout; did you mean --max-time?"),
    (("compact", "--threads"), "no such option: --threads; fetchpool --help lists the options"),
    (
        ("--output-document", "x"),
        "no such option: --output-document; use --save DIR for bodies, -o FILE for rows",
    ),
    (
        ("-P", "x"),
        "no such option: -P; for wget's --directory-prefix use --save DIR; "
        "for HTTPie's --history-print use --warc FILE.warc.gz",
    ),
    (("--data-urlencode", "x"), "no such option: --data-urlencode; encode the text, then use --data"),
    (("--referrer", "x"), "no such option: --referrer; did you mean --referer?"),
    (("--refrer", "x"), "no such option: --refrer; did you mean --referer?"),
    (("--no-check-certificate",), "no such option: --no-check-certificate; did you mean --insecure?"),
    (("--compare", "urls.txt"), "no such option: --compare; did you mean fetchpool compare?"),
    (
        ("reprot", "rows.jsonl"),
        "reprot: no such file, and no such command; did you mean fetchpool report?",
    ),
    (("help",), "help: no such file, and no such command; did you mean fetchpool --help?"),
    (("links", "urls.txt"), "links: no such file; check its name"),
    (("--heat",), "no such option: --heat; did you mean --head?"),
    (("--ahead",), "no such option: --ahead; did you mean --head?"),
    (("--overhead",), "no such option: --overhead; fetchpool --help lists the options"),
    (("--quuxify",), "no such option: --quuxify; fetchpool --help lists the options"),
    (
        ("urls.txt", "-w"),
        "option '-w' requires an argument N: maximum number of concurrent fetches, or 'auto' to adapt it "
        "during the run",
    ),
    (
        ("urls.txt", "--retry-failed"),
        "option '--retry-failed' requires an argument KIND: like --resume, and also retry URLs whose row has "
        "one of these errors: all, timeout, http_5xx, http_4xx, or kinds such as dns,http_429",
    ),
    (
        ("report", "rows.jsonl", "--format"),
        "option '--format' requires an argument NAME: format of every OUT: text, jsonl, csv, tsv, sqlite or "
        "parquet",
    ),
    (("--insecure=yes",), "option '--insecure' does not take a value; fetchpool --help lists the options"),
    (("demo", "--retry", "3"), "no such option: --retry; fetchpool --help lists the options"),
    (
        ("urls.txt", "--executor", "tread"),
        f"--executor: 'tread' is not one of {', '.join(EXECUTORS)}; did you mean thread?",
    ),
    (
        ("urls.txt", "--transport", "qurl"),
        "--transport: 'qurl' is not one of curl, requests; did you mean curl?",
    ),
    (
        ("urls.txt", "--transport", "urllib"),
        "--transport: 'urllib' is not one of curl, requests",
    ),
    (
        ("urls.txt", "-w", "0"),
        "--workers: 0 is not an integer from 1 to 10000",
    ),
    (
        ("urls.txt", "--max-workers", "5"),
        "--max-workers: 5 is less than --workers, which is 10",
    ),
    (("urls.txt", "--paused"), NOT_STARTED),
    (
        ("urls.txt", "-m", "5 parsecs"),
        "--max-time: '5 parsecs' is not a duration; write 500ms, 10s, 2m, 1h or 1d",
    ),
    (
        ("urls.txt", "--max-filesize", "10MB"),
        "--max-filesize: '10MB' is not a size; write 512k, 10M or 1G (1M is 1048576 bytes)",
    ),
    (
        ("urls.txt", "-H", "Authorization Bearer s3cret"),
        "--header: missing colon; expected 'Name: value' (or 'Name;' for an empty value)",
    ),
    (("urls.txt", "-u", "s3cret"), "--user: expected name:password ('name:' for an empty password)"),
    (
        ("urls.txt", "-x", "ftp://proxy"),
        "--proxy: unsupported scheme 'ftp'; use http, https, socks5 or socks5h",
    ),
    (("urls.txt", "-q", "-v"), "--quiet and --verbose are mutually exclusive"),
    (("urls.txt", "--http1.1", "--http2"), "--http1.1 and --http2 are mutually exclusive"),
    (("urls.txt", "-I", "-X", "POST"), "--head and --method POST are mutually exclusive"),
    (("urls.txt", "-I", "-d", "a=1"), "--head and --data are mutually exclusive"),
    (
        ("urls.txt", "--http2", "--transport", "requests"),
        "--http2 requires --transport curl (requests supports HTTP/1.1 only)",
    ),
    (
        ("urls.txt", "-o", "./urls.txt"),
        "./urls.txt is also the input urls.txt; choose another output with -o",
    ),
    (("-", "-"), "INPUT: standard input (-) is given twice"),
    (("demo", "-n", "0"), "--number: 0 is not an integer of at least 1"),
]


@pytest.mark.parametrize(("arguments", "line"), REFUSALS, ids=[" ".join(one) for one, _ in REFUSALS])
def test_invalid_options_are_rejected_in_one_line(
    arguments: tuple[str, ...],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/never-asked\n")
    assert main(list(arguments)) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"fetchpool: {line}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["urls.txt"]


def test_a_shell_gets_the_line_and_the_exit_code() -> None:
    done = fetchpool("urls.txt", "--executor", "tread")
    assert done.stdout == ""
    assert done.stderr.startswith("fetchpool: --executor: 'tread' is not one of ")
    assert (done.stderr.count("\n"), done.returncode) == (1, 2)


def test_a_missing_file_is_named_and_nothing_is_fetched(tmp_path: Path) -> None:
    done = fetchpool("urls.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("fetchpool: ")
    assert "urls.txt" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_no_list(tmp_path: Path) -> None:
    done = fetchpool(".", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "is a directory" in done.stderr


def test_an_output_in_a_missing_directory_is_reported_before_anything_is_fetched(
    tmp_path: Path,
) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/never-asked\n")
    done = fetchpool("urls.txt", "-o", "no/such/directory/sizes.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no/such/directory/sizes.txt" in done.stderr


def test_a_refusal_cant_move_the_cursor(tmp_path: Path) -> None:
    done = fetchpool("--executor", "\x1b[2J", "urls.txt", cwd=tmp_path)
    assert "\x1b" not in done.stderr
    done = fetchpool("\x1b[2J", cwd=tmp_path)
    assert "\x1b" not in done.stderr
