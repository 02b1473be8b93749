"""What is said about trials: medians, ranges, rows that differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fetchpool.compare.judge import RowJudge, results
from fetchpool.compare.plan import Combination, Plan
from fetchpool.compare.table import Comparison, headline, lines
from fetchpool.compare.trial import Summary, Times, Trial
from fetchpool.compare.write import WRITERS, check_outputs, write
from fetchpool.model.errors import UsageError

ASYNC, THREAD, PROCESS = (Combination(name, "curl") for name in ("async", "thread", "process"))
HOSTILE = "http://a/<script>alert(1)</script>|`x`\x1b[31m"


def trial(combination: Combination, round: int, wall: float, **more: Any) -> Trial:
    summary = Summary(100, 3, Times(0.018, 0.041), 1)
    values = {"cpu": 0.1, "memory": 40_000_000, "summary": summary, **more}
    return Trial(combination, round, wall, **values)


def row(urlnum: int, url: str = "", error: str | None = None, size: int = 5) -> dict[str, Any]:
    return {
        "urlnum": urlnum,
        "url": url or f"http://a/{urlnum}",
        "error": error,
        "response_code": 200,
        "size_delivered": size,
    }


def comparison(judge: RowJudge | None = None) -> Comparison:
    trials = [
        *(trial(ASYNC, number, wall) for number, wall in enumerate((9.0, 0.5, 0.4, 0.42))),
        *(trial(THREAD, number, wall) for number, wall in enumerate((0.1, 0.8, 0.7, 0.45))),
        *(trial(PROCESS, number, wall, cpu=None, memory=None) for number, wall in enumerate((1.0, 2.0))),
        trial(PROCESS, 2, 0.1, summary=None, failure="it broke"),
    ]
    missing = (Combination("async", "requests"), "async needs curl")
    plan = Plan((ASYNC, THREAD, PROCESS), (missing,), 3, 42)
    judge = judge or RowJudge()
    return Comparison(plan, 100, results(trials), judge.differences(), [(PROCESS, "it broke")])


@pytest.mark.parametrize(("repeat", "often"), [(1, "once"), (2, "2 times")])
def test_the_headline_says_how_often_a_combination_is_run(repeat: int, often: str) -> None:
    plan = Plan((ASYNC,), (), repeat, 42)
    assert headline(plan, 1) == (
        f"1 URL, 1 combination, each run {often} in random order (--seed 42) after one to warm up"
    )


def test_the_median_and_the_range_are_of_the_rounds_after_the_first() -> None:
    first, second, third = comparison().results
    assert (first.combination, second.combination, third.combination) == (ASYNC, THREAD, PROCESS)
    assert (first.wall.median, first.wall.low, first.wall.high) == (0.42, 0.4, 0.5)
    assert second.wall.overlaps(first.wall)
    assert not third.wall.overlaps(first.wall)
    assert third.trials == 1
    assert first.cpu_per_url == pytest.approx(0.001)


def test_the_table_has_a_line_for_each_combination_and_says_what_is_noise_and_what_is_missing() -> None:
    text = lines(comparison())
    assert "--seed 42" in text[0]
    named = {" ".join(line.split()[:2]): line for line in text[2:]}
    assert "0.42 s (0.40–0.50)" in named["async curl"]  # noqa: RUF001
    assert "≈ 0.60" in named["thread curl"]
    assert "≈" not in named["process curl"]
    assert "async needs curl" in named["async requests"]
    assert "process curl: a trial failed: it broke" in text
    assert any(line.startswith("≈: ") for line in text)


def test_an_interrupted_comparison_shows_the_trials_that_ended() -> None:
    text = lines(structs.replace(comparison(), interrupted=True))
    assert any("  async " in line for line in text)
    assert "interrupted: 7 of 9 trials ended" in text


def test_rows_that_agree_are_said_to_in_whatever_order_they_were_written() -> None:
    judge = RowJudge()
    judge.add("async curl 1", [row(0), row(1)])
    judge.add("thread curl 1", [row(1), row(0)])
    assert lines(comparison(judge))[-1] == "rows: the same in all 2 trials"


def test_at_most_ten_differences_are_listed_with_the_trials_that_have_each_value() -> None:
    judge = RowJudge()
    judge.add("async curl 1", [row(number) for number in range(14)])
    judge.add("thread curl 1", [row(0), row(1), *(row(number, size=6) for number in range(2, 13))])
    judge.add("async curl 2", [row(number, error="reset" if number == 1 else None) for number in range(14)])
    text = lines(comparison(judge))
    start = text.index("rows: 13 URLs with different results")
    assert text[start + 1 : start + 4] == [
        "  http://a/1",
        "    status 200, 5 bytes: async curl 1, thread curl 1",
        "    reset, status 200, 5 bytes: async curl 2",
    ]
    assert sum(line.startswith("  http://") for line in text) == 10
    assert text[-1] == "  and 3 more URLs"


def test_a_url_without_a_row_in_a_trial_is_a_difference_and_so_is_one_more() -> None:
    judge = RowJudge()
    judge.add("a", [row(0)])
    judge.add("b", [row(1)])
    found = {each.url: each.found for each in judge.differences().listed}
    assert found["http://a/0"][None] == ["b"]
    assert found["http://a/1"][None] == ["a"]


def test_the_same_url_twice_in_a_list_is_two_rows() -> None:
    judge = RowJudge()
    judge.add("a", [row(0, "http://a/"), row(1, "http://a/", size=7)])
    judge.add("b", [row(1, "http://a/", size=7), row(0, "http://a/")])
    assert judge.differences().count == 0


def test_no_file_shows_markup_or_control_characters_of_a_url() -> None:
    judge = RowJudge()
    judge.add("a", [row(0, HOSTILE)])
    judge.add("b", [row(0, HOSTILE, size=6)])
    found = comparison(judge)
    assert "\x1b" not in "".join([*lines(found), *(each(found) for each in WRITERS.values())])
    page = WRITERS[".html"](found)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert json.loads(WRITERS[".json"](found))["rows"]["listed"][0]["url"] == HOSTILE
    # In Markdown, the lines with URLs are code, in which nothing is markup.
    (line,) = (each for each in WRITERS[".md"](found).splitlines() if "script" in each)
    assert line.startswith("    http://a/")


def test_only_comparisons_are_replaced(tmp_path: Path) -> None:
    for suffix in WRITERS:
        path = tmp_path / f"found{suffix}"
        write(comparison(), [str(path)])
        check_outputs([str(path)])
        path.write_text("my own")
        with pytest.raises(UsageError, match="exists and is not a comparison"):
            check_outputs([str(path)])
    assert {path.suffix for path in tmp_path.iterdir()} == set(WRITERS)
    with pytest.raises(UsageError, match=r"written to \.json, \.md, \.html files"):
        check_outputs(["found.csv"])
    with pytest.raises(UsageError, match="its directory"):
        check_outputs([str(tmp_path / "none" / "found.md")])


def test_a_comparison_says_that_retries_take_time() -> None:
    summary = Summary(100, 3, Times(0.018, 0.041), 1, retries=12)
    trials = [trial(ASYNC, 1, 0.4, summary=summary), trial(THREAD, 1, 0.6)]
    found = structs.replace(comparison(), results=results(trials))
    said = "up to 12 retries a trial, whose backoff is part of the times; --retry 0 leaves them out"
    assert said in lines(found)
    assert "retr" not in "".join(lines(structs.replace(found, results=results(trials[1:]))))
