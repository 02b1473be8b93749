"""What needs no fetch: duplicates, and what the outputs hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model import failures, urls
from fetchpool.model.record import StoredRow
from tests.factories import record


def filtered(known: DuplicateFilter, *lines: str, first: int = 0) -> tuple[list[str], list[StoredRow]]:
    while known.load():
        pass
    wanted, earlier = known.filter([urls.request(number, line) for number, line in enumerate(lines, first)])
    return [request.url for request in wanted], earlier


def journal(*rows: tuple[str, str | None] | None) -> list[list[StoredRow | None]]:
    return [[row and StoredRow(*row)] for row in rows]


def known_from(*journals: list[list[StoredRow | None]], again: str = "") -> DuplicateFilter:
    return DuplicateFilter(
        stored_rows=[iter(each) for each in journals], retry_errors=failures.errors_named(again.split())
    )


def test_a_url_is_wanted_once_however_it_is_spelled() -> None:
    known = DuplicateFilter()
    assert filtered(known, "http://h/", "HTTP://H:80", "h", "http://h/#x", "http://h/x") == (
        ["http://h/", "http://h/x"],
        [],
    )
    assert filtered(known, "http://h/x", first=7) == ([], [])
    assert known.duplicates == 4


def test_rows_without_a_url_are_no_duplicates() -> None:
    known = DuplicateFilter()
    assert filtered(known, "", "http://h/", "", "http://h/", "") == (["", "http://h/", "", ""], [])
    assert known.duplicates == 1


def test_as_many_inputs_without_a_url_are_done_as_the_output_has_even_with_retry_failed() -> None:
    error = "invalid_url"
    outputs = journal(("", error), ("", error)), journal(("", error), ("http://h/", None))
    known = known_from(*outputs, again="all")
    wanted, earlier = filtered(known, "", "", "http://h/", "", "")
    assert (wanted, earlier) == (["", "http://h/", "", ""], [StoredRow("", error)])
    records = [record(number, "") for number in (1, 3, 4)]
    assert [row.urlnum for row in known.missing_from(records, 0)] == [3, 4]
    assert [row.urlnum for row in known.missing_from(records, 1)] == [1, 3, 4]
    assert known.duplicates == 0


def test_without_dedupe_every_line_is_wanted() -> None:
    known = DuplicateFilter(dedupe=False)
    assert filtered(known, "http://h/", "http://h/")[0] == ["http://h/"] * 2
    assert known.duplicates == 0


def test_urls_in_the_output_are_skipped_and_counted_with_their_final_error() -> None:
    known = known_from(
        journal(("http://h/fine", None), None, ("http://h/bad", "dns"), ("http://***@h/", "http_404")),
    )
    lines = ["http://h/fine", "http://h/bad", "http://h/new", "http://u:secret@h/", "http://h/fine#again"]
    assert filtered(known, *lines) == (
        ["http://h/new"],
        [
            StoredRow("http://h/fine", None),
            StoredRow("http://h/bad", "dns"),
            StoredRow("http://***@h/", "http_404"),
        ],
    )
    assert (known.duplicates, known.corrupt_rows) == (1, 1)


def test_the_last_row_of_a_url_is_the_final_one() -> None:
    rows = [("http://h/a", "dns"), ("http://h/b", None), ("http://h/a", None), ("http://h/b", "reset")]
    assert filtered(known_from(journal(*rows)), "http://h/a", "http://h/b")[1] == [
        StoredRow("http://h/a", None),
        StoredRow("http://h/b", "reset"),
    ]
    assert filtered(known_from(journal(*rows), again="all"), "http://h/a", "http://h/b")[0] == ["http://h/b"]


@pytest.mark.parametrize(
    ("again", "wanted"),
    [
        ("all", ["dns", "timeout_read", "http_404", "http_503", "http_700"]),
        ("timeout", ["timeout_read"]),
        ("http_4xx", ["http_404"]),
        ("http_5xx dns", ["dns", "http_503", "http_700"]),
        ("http_700", ["http_700"]),
        ("http_503", ["http_503"]),
        ("tls", []),
    ],
)
def test_urls_with_these_errors_are_fetched_again(again: str, wanted: list[str]) -> None:
    errors = ["dns", "timeout_read", "http_404", "http_503", "http_700"]
    rows = [("http://h/fine", None), *((f"http://h/{error}", error) for error in errors)]
    found, earlier = filtered(known_from(journal(*rows), again=again), *(url for url, _ in rows))
    assert found == [f"http://h/{error}" for error in wanted]
    assert len(earlier) == len(rows) - len(wanted)


def test_an_output_that_has_a_row_is_not_given_another() -> None:
    known = known_from(
        journal(("http://h/0", None), ("http://h/1", None)),
        journal(("http://h/1", None), ("http://h/2", "dns")),
    )
    wanted, earlier = filtered(known, *(f"http://h/{number}" for number in range(4)))
    assert wanted == ["http://h/0", "http://h/2", "http://h/3"]
    assert earlier == [StoredRow("http://h/1", None)]
    records = [record(number, f"http://h/{number}") for number in (3, 0, 2)]
    assert [row.urlnum for row in known.missing_from(records, 0)] == [3, 2]
    assert [row.urlnum for row in known.missing_from(records, 1)] == [3, 0]
    known.mark_written(records)
    assert known.missing_from(records, 0) is records  # nothing is remembered of what is written


def test_an_output_whose_row_is_fine_keeps_it_when_another_asks_again() -> None:
    known = known_from(journal(("http://h/", "dns")), journal(("http://h/", None)), again="dns")
    assert filtered(known, "http://h/")[0] == ["http://h/"]
    records = [record(0, "http://h/")]
    assert known.missing_from(records, 0) == records
    assert known.missing_from(records, 1) == []


def test_outputs_that_disagree_make_the_url_one_that_failed() -> None:
    rows = journal(("http://h/", None)), journal(("http://h/", "http_404"))
    assert filtered(known_from(*rows), "http://h/")[1] == [StoredRow("http://h/", "http_404")]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, "dns", "http_500"])))),
    st.lists(st.integers(0, 12)),
)
def test_every_url_of_the_list_is_fetched_for_each_output_that_lacks_it_and_for_no_other(
    outputs: list[list[tuple[int, str | None]]], lines: list[int]
) -> None:
    journals = [journal(*((f"http://h/{number}", error) for number, error in rows)) for rows in outputs]
    known = known_from(*journals, again="dns")
    wanted, earlier = filtered(known, *(f"http://h/{number}" for number in lines))
    final = [dict(rows) for rows in outputs]
    lacking = {
        number: [place for place, rows in enumerate(final) if rows.get(number, "dns") == "dns"]
        for number in dict.fromkeys(lines)
    }
    assert wanted == [f"http://h/{number}" for number, places in lacking.items() if places or not outputs]
    assert [row.url for row in earlier] == [
        f"http://h/{number}" for number, places in lacking.items() if not places and outputs
    ]
    for number, places in lacking.items():
        rows = [record(lines.index(number), f"http://h/{number}")]
        if places:
            assert [place for place in range(len(outputs)) if known.missing_from(rows, place)] == places


def test_every_error_a_row_can_have_has_a_word() -> None:
    assert failures.errors_named(["all"]) == set(failures.ERRORS)
    assert failures.errors_named(["timeout"]) == {
        "timeout_dns",
        "timeout_connect",
        "timeout_read",
        "timeout_total",
    }
    assert len(failures.errors_named(["http_4xx", "http_5xx"])) == 201  # one stands for all from 600 on


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("dsn", "did you mean dns?"),
        ("http_44", "did you mean http_404?"),
        ("5xx", "http_5xx?"),
        ("429", "http_429?"),
    ],
)
def test_an_unknown_kind_is_refused_with_the_closest_one(word: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"unknown error '{word}'; ") as refused:
        failures.errors_named([word])
    assert hint in str(refused.value)


def test_a_word_that_is_like_none_is_answered_with_all_there_are() -> None:
    with pytest.raises(
        ValueError, match="write all, timeout, http_4xx, http_5xx, or an error as rows have it"
    ):
        failures.errors_named(["quux"])
