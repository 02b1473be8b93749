"""The numbers of a report, compared with an independent computation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from fetchpool.config.choices import FORMATS
from fetchpool.config.outputs import Output
from fetchpool.model.errors import UsageError
from fetchpool.report.build import Gathered, gather
from fetchpool.report.gather import Gatherer
from fetchpool.report.hosts import Hosts
from fetchpool.report.numbers import Numbers
from fetchpool.report.row import Row
from fetchpool.report.timeline import MAX_BINS
from tests.factories import record
from tests.unit.report.rows import run_rows, timestamp, write


def of(*paths: Path, **options: Any) -> Gathered:
    formats = {".txt": "text", ".sqlite": "sqlite", ".gz": "jsonl", ".zst": "jsonl"}
    outputs = [Output(str(path), formats.get(path.suffix, path.suffix[1:])) for path in paths]
    return gather(outputs, **options)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("rows") / "rows.jsonl", run_rows(2_000))


def test_the_numbers_are_those_of_a_database(rows: Path) -> None:
    found = of(rows).numbers

    def ask(query: str) -> Any:
        return duckdb.sql(query.replace("ROWS", f"read_json('{rows}')")).fetchall()

    ((total, ok, delivered, downloaded),) = ask(
        "SELECT count(*), count(*) FILTER (error IS NULL), sum(size_delivered), sum(size_download) FROM ROWS"
    )
    assert (found.total, found.ok, found.failed) == (total, ok, total - ok)
    assert (found.size_delivered, found.size_download) == (delivered, downloaded)
    kinds = dict(ask("SELECT error, count(*) FROM ROWS WHERE error IS NOT NULL GROUP BY 1"))
    assert found.failures == kinds
    assert {kind.error: kind.urls for kind in found.kinds} == kinds
    shares = [0.5, 0.9, 0.95, 0.99, 0.999]
    ((exact,),) = ask(f"SELECT quantile_disc(time_total, {shares}) FROM ROWS")
    assert found.times is not None
    times = found.times
    for value, known in zip((times.p50, times.p90, times.p95, times.p99, times.p999), exact, strict=True):
        assert value == pytest.approx(known, rel=0.025)
    assert (found.p50, found.p90, found.p95, found.p99) == (times.p50, times.p90, times.p95, times.p99)
    ((shortest, longest, summed),) = ask("SELECT min(time_total), max(time_total), sum(time_total) FROM ROWS")
    assert (times.minimum, times.maximum) == (shortest, longest)
    assert times.total == pytest.approx(summed, abs=1e-3)
    codes = ask("SELECT response_code, count(*) FROM ROWS WHERE response_code IS NOT NULL GROUP BY 1")
    assert {int(each.name): each.urls for each in found.response_codes} == dict(codes)
    hosts = ask(
        "SELECT split_part(url, '/', 3), count(*), count(*) FILTER (error IS NOT NULL) f, "
        "quantile_disc(time_total, 0.95) FROM ROWS GROUP BY 1"
    )
    assert found.hosts.number == len(hosts)
    assert found.hosts.exact
    known_hosts = {host: (urls, failed) for host, urls, failed, _ in hosts}
    for host in (*found.hosts.busiest, *found.hosts.failing, *found.hosts.slowest):
        assert (host.urls, host.failed) == known_hosts[host.host]
    p95 = {host: value for host, *_, value in hosts}
    for host in found.hosts.slowest:
        assert host.p95 == pytest.approx(p95[host.host], rel=0.026)
    slowest = ask("SELECT url FROM ROWS ORDER BY time_total DESC LIMIT 10")
    assert [each.url for each in found.slowest] == [url for (url,) in slowest]
    largest = ask("SELECT url FROM ROWS WHERE error IS NULL ORDER BY size_delivered DESC LIMIT 10")
    assert [each.url for each in found.largest] == [url for (url,) in largest]
    ((redirected, retried),) = ask(
        "SELECT count(*) FILTER (num_redirects = 1), count(*) FILTER (num_retries > 0) FROM ROWS"
    )
    assert found.redirects is not None
    assert {hop.name: hop.urls for hop in found.redirects.hops} == {
        "0": total - redirected,
        "1": redirected,
    }
    assert found.redirects.retried == retried
    assert {each.name for each in found.content_types} == {"text/html", "image/png"}


def test_the_course_has_every_url_in_the_interval_of_its_end(rows: Path) -> None:
    course = of(rows).numbers.course
    assert course is not None
    assert MAX_BINS / 2 <= len(course.ok) <= MAX_BINS
    expected: dict[int, list[int]] = {}
    for row in run_rows(2_000):
        end = (int(row.urlnum * 90_000 / 2_000) / 1000) + (row.time_total or 0) + 5 * 3600 + 6 * 60 + 9
        counts = expected.setdefault(int(end // course.interval), [0, 0])
        counts[row.error is not None] += 1
    first = min(expected)
    intervals = range(first, max(expected) + 1)
    assert list(course.ok) == [expected.get(each, [0, 0])[0] for each in intervals]
    assert list(course.failed) == [expected.get(each, [0, 0])[1] for each in intervals]


def test_the_phases_of_a_group_are_its_time(rows: Path) -> None:
    found = of(rows).numbers
    assert found.times is not None
    assert sum(group.urls for group in found.phases) == found.total
    summed = sum(
        group.urls * (group.name + group.connect + group.tls + group.wait + group.receive)
        for group in found.phases
    )
    assert summed == pytest.approx(found.times.total, rel=1e-3)


@pytest.mark.parametrize("format", [each for each in FORMATS if each not in ("text", "jsonl")])
def test_every_format_gives_the_same_numbers(rows: Path, tmp_path: Path, format: str) -> None:
    other = write(tmp_path / f"rows.{format}", run_rows(2_000))
    assert of(other).numbers == of(rows).numbers


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_output_gives_the_same_numbers(rows: Path, tmp_path: Path, suffix: str) -> None:
    other = write(tmp_path / f"rows.jsonl{suffix}", run_rows(2_000))
    assert of(other).numbers == of(rows).numbers


def test_text_rows_have_the_same_counts_and_sizes(rows: Path, tmp_path: Path) -> None:
    found, known = of(write(tmp_path / "sizes.txt", run_rows(2_000))).numbers, of(rows).numbers
    assert (found.total, found.failures) == (known.total, known.failures)
    assert found.sizes == known.sizes
    assert (found.times, found.course, found.p50) == (None, None, None)
    assert [(host.host, host.urls, host.failed) for host in found.hosts.busiest] == [
        (host.host, host.urls, host.failed) for host in known.hosts.busiest
    ]


def test_the_order_of_the_rows_makes_no_difference(rows: Path, tmp_path: Path) -> None:
    shuffled = list(run_rows(2_000))
    random.Random(1).shuffle(shuffled)
    assert of(write(tmp_path / "rows.jsonl", shuffled)).numbers == of(rows).numbers


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "sizes.txt", "rows.jsonl.gz", "rows.parquet"])
def test_the_last_row_of_a_url_is_the_one_that_counts(tmp_path: Path, name: str) -> None:
    url = "http://example.org/again"
    found = of(
        write(
            tmp_path / name,
            [
                record(0, url, error="dns", response_code=None),
                record(1, error="tls"),
                record(0, url, error="reset"),
                record(2, "", error="invalid_url"),
                record(3, "", error="invalid_url"),
                record(0, f"{url}#fragment"),
                record(1),
            ],
        )
    )
    assert (found.numbers.total, found.numbers.failures) == (4, {"invalid_url": 2})
    assert found.superseded == 3


def test_the_last_row_counts_over_all_outputs(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [record(0, error="dns"), record(1, error="tls")])
    second = write(tmp_path / "b.csv", [record(0), record(2)])
    assert of(first, second).numbers.failures == {"tls": 1}
    assert of(second, first).numbers.failures == {"dns": 1, "tls": 1}


def test_a_url_with_more_rows_than_a_byte_counts_has_one(tmp_path: Path) -> None:
    rows = [record(0, error="dns", time_total=place / 1000) for place in range(700)]
    found = of(write(tmp_path / "rows.jsonl", [*rows, record(0)]))
    assert (found.numbers.total, found.numbers.failed, found.superseded) == (1, 0, 700)


def test_the_last_rows_are_found_with_little_memory(tmp_path: Path) -> None:
    rows = [record(place, error="dns") for place in range(300)] + [record(place) for place in range(300)]
    found = of(write(tmp_path / "rows.jsonl", rows), memory=1)
    assert (found.numbers.total, found.numbers.failed) == (300, 0)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "sizes.txt", "rows.tsv"])
def test_a_truncated_last_line_is_left_out(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, [record(place) for place in range(3)])
    path.write_bytes(path.read_bytes()[:-4])
    assert of(path).numbers.total == 2


def test_an_unreadable_line_is_counted_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [record(place) for place in range(3)])
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, b'{"url": "http://a/", "time_total": "soon"}\n\x00\xff\n', *rest]))
    found = of(path)
    assert (found.numbers.total, found.unreadable) == (3, 2)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "sizes.txt"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert of(path).numbers.total == 0


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "sizes.txt", "rows.sqlite"])
def test_another_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("# A file\n\nwith words\n")
    with pytest.raises(UsageError, match=name):
        of(path)


def test_values_that_no_run_writes_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    good = write(tmp_path / "good.csv", [record(0)]).read_text()
    header, row = good.splitlines()
    cells = row.split(",")
    names = header.split(",")
    lines = [header]
    odd = {
        "time_total": ("nan", "inf", "-1", "1e300", "0"),
        "size_delivered": ("-5", "9" * 18, "0"),
        "timestamp": ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", "2026-11-28T05:06:09"),
        "error": ("\x1b[31m" + "e" * 500, "http_999", "http_"),
        "http_version": ("9" * 500,),
        "num_redirects": ("1000000", "-3"),
    }
    for name, values in odd.items():
        for value in values:
            changed = list(cells)
            changed[names.index("url")] = f"http://host/{len(lines)}"
            changed[names.index(name)] = value
            lines.append(",".join(changed))
    path.write_text("\n".join([*lines, ""]))
    found = of(path).numbers
    assert found.total == len(lines) - 1
    assert msgspec.json.decode(msgspec.json.encode(found), type=Numbers) == found
    assert found.course is not None
    assert len(found.course.ok) <= MAX_BINS


def test_a_short_run_and_one_with_a_pause_of_months_have_a_bounded_course() -> None:
    gatherer = Gatherer()
    gatherer.add([Row(url="http://a/", timestamp=timestamp(0), time_total=0.5)])
    gatherer.add([Row(url="http://a/", timestamp=timestamp(1e7), time_total=0.5)])
    course = gatherer.result().course
    assert course is not None
    assert len(course.ok) <= MAX_BINS
    assert sum(course.ok) == 2
    assert course.elapsed == pytest.approx(1e7 + 0.5)


def test_hosts_beyond_the_capacity_are_dropped_and_the_error_is_known() -> None:
    hosts = Hosts(capacity=20, kept=10)
    true: dict[str, int] = {}
    draw = random.Random(2)
    for _ in range(3_000):
        name = f"h{int(draw.paretovariate(0.6))}"
        true[name] = true.get(name, 0) + 1
        hosts.of(name).rows += 1
    assert not hosts.exact
    assert len(hosts) <= 20
    for host in hosts.all():
        assert true[host.name] - hosts.missed <= host.rows <= true[host.name]
    most = max(true, key=lambda name: true[name])
    assert most in {host.name for host in hosts.all()}


def test_the_hosts_of_invalid_urls_and_of_international_names() -> None:
    gatherer = Gatherer()
    urls = (
        "http://EXAMPLE.org:81/",
        "example.org/x",
        "https://***@example.org",
        "http://b\u00fccher.example/",
    )
    gatherer.add([Row(url=url) for url in (*urls, "", "http:///x", "http://[2001:db8::1]:80/")])
    names = {host.host: host.urls for host in gatherer.result().hosts.busiest}
    assert names == {"example.org": 3, "xn--bcher-kva.example": 1, "[2001:db8::1]": 1}
