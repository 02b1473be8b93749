"""`--dry-run`: what a list would cost, and not one request."""

from __future__ import annotations

import pytest

from tests.cli.runner import fetchpool


def test_it_names_hosts_duplicates_and_the_shortest_polite_time_and_fetches_nothing(tmp_path, demo_server):
    before = demo_server.requests
    base = demo_server.url("")
    listed = tmp_path / "urls.txt"
    listed.write_text(
        f"{base}/bytes/1\n{base}/bytes/2\n{base}/bytes/3\n{base}/bytes/3#again\n"
        "http://localhost.invalid/\nfile:///etc/passwd\n"
    )
    ended = fetchpool(str(listed), "--dry-run", "--host-delay", "10s", "-o", str(tmp_path / "rows.txt"))
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        "would fetch 4 URLs from 2 hosts; 1 duplicate, 1 invalid URL",
        "  3  127.0.0.1",
        "  1  localhost.invalid",
        "minimum time: 20 s (--host-delay)",
    ]
    assert demo_server.requests == before
    assert not (tmp_path / "rows.txt").exists()


def test_rows_without_a_url_are_counted_each(tmp_path):
    listed = tmp_path / "urls.csv"
    listed.write_text("n,url\n1,\n2,http://a/\n3,\n4,http://a/\n5,\n")
    ended = fetchpool(str(listed), "--url-column", "url", "--dry-run")
    assert "would fetch 1 URL from 1 host; 1 duplicate, 3 invalid URLs" in ended.stdout


def test_the_slowest_limit_is_the_one_that_counts(tmp_path):
    listed = tmp_path / "urls.txt"
    listed.write_text("http://a/\nhttp://b/\nhttp://c/\n")
    ended = fetchpool(str(listed), "--dry-run", "--host-delay", "10s", "--rate", "6/m")
    assert ended.stdout.splitlines()[-1] == "minimum time: 20 s (--rate)"


def test_a_missing_file_is_refused_as_in_a_run(tmp_path):
    ended = fetchpool(str(tmp_path / "nosuch.txt"), "--dry-run")
    assert ended.returncode == 2
    assert "no such file" in ended.stderr


@pytest.mark.parametrize("name", ["rows.txt", "rows.jsonl", "rows.csv", "rows.sqlite", "rows.parquet"])
def test_a_resumed_run_counts_only_what_is_left_and_changes_no_output(tmp_path, demo_server, name):
    done, failed, new = (demo_server.url(path) for path in ("/bytes/1", "/status/404", "/bytes/2"))
    listed, output = tmp_path / "urls.txt", tmp_path / name
    listed.write_text(f"{done}\n{failed}\n")
    fetchpool(str(listed), "-o", str(output))
    files = [path for path in (output, *output.glob("*")) if path.is_file()]
    before = [path.read_bytes() for path in files]
    listed.write_text(f"{done}\n{failed}\n{new}\n{new}\nhttp://[\n")
    resumed = fetchpool(str(listed), "-o", str(output), "--resume", "--dry-run")
    again = fetchpool(str(listed), "-o", str(output), "--retry-failed", "all", "--dry-run")
    said = "from 1 host; 1 duplicate, 1 invalid URL"
    assert resumed.stdout.splitlines()[0] == f"would fetch 1 URL {said}, 2 done by earlier runs"
    assert again.stdout.splitlines()[0] == f"would fetch 2 URLs {said}, 1 done by earlier runs"
    assert [path.read_bytes() for path in files] == before


def test_a_resumed_run_without_an_output_counts_everything(tmp_path):
    listed = tmp_path / "urls.txt"
    listed.write_text("http://a/\n")
    ended = fetchpool(str(listed), "--resume", "--dry-run", "-o", str(tmp_path / "none.jsonl"))
    assert "would fetch 1 URL from 1 host; 0 duplicates, 0 invalid URLs, 0 done by" in ended.stdout
