"""Human-readable numbers."""

from __future__ import annotations

import pytest

from fetchpool.progress.format import (
    Span,
    Style,
    count,
    counted,
    duration,
    line,
    percent,
    rate,
    size,
    total,
)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (5_649, "5.6 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (12_300_000, "12.3 MB"),
        (4_000_000_000, "4.0 GB"),
        (7.25e12, "7.2 TB"),
        (3e15, "3.0 PB"),
        (4.2e18, "4,200.0 PB"),
    ],
)
def test_sizes_are_decimal_and_short(octets: float, words: str) -> None:
    assert size(octets) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.00001, "0 s"),
        (0.00033, "0.3 ms"),
        (0.0453, "45 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (3.24, "3.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (80, "1 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.7, "1 h 00 min"),
        (3720, "1 h 02 min"),
        (86_399, "1 d 00 h"),
        (183_600, "2 d 03 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.0001, "<1 %"), (0.01, "1 %"), (0.29, "29 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_a_hundred_percent_is_all_of_it(share: float, words: str) -> None:
    assert percent(share) == words


def test_counts_have_separators_and_nouns_a_number() -> None:
    assert count(12_345_678) == "12,345,678"
    assert [counted(n, "URL") for n in (0, 1, 2)] == ["0 URLs", "1 URL", "2 URLs"]
    assert [counted(n, "retry", "retries") for n in (1, 1_000)] == ["1 retry", "1,000 retries"]


def test_an_estimate_is_marked_and_rounded() -> None:
    assert total(98_213, True) == "98,213"
    assert total(98_213, False) == "~98,200"
    assert total(7, False) == "~7"


@pytest.mark.parametrize(
    ("per_second", "words"), [(0, "0"), (0.24, "0.2"), (9.94, "9.9"), (9.96, "10"), (1234.4, "1,234")]
)
def test_rates_are_short(per_second: float, words: str) -> None:
    assert rate(per_second) == words


def test_a_line_is_its_words() -> None:
    assert str(line("a ", Span("b", Style.BAD), " [/c]")) == "a b [/c]"
