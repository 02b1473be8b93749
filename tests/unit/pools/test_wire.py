"""Requests and outcomes come back from bytes as they were, whatever is in them."""

from __future__ import annotations

import pickle
from time import perf_counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fetchpool.model import urls
from fetchpool.model.discovery import Discovery, LinkKind
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import INT64, Cookie, Record
from fetchpool.model.request import CachedVersion, FetchRequest
from fetchpool.pools import wire

texts = st.text(st.characters(exclude_categories=()), max_size=6)
"""Lone surrogates too."""
sizes = st.integers(0, 1 << 62)
seconds = st.floats(0, 1e6)
kinds = st.sampled_from(FailureKind)
cookies = st.builds(Cookie, texts, texts, texts, st.booleans(), texts, st.booleans())
versions = st.builds(CachedVersion, texts, texts, texts, st.none() | sizes, st.none() | texts, texts, texts)

discoveries = st.builds(
    Discovery,
    depth=st.integers(0, 9),
    kind=st.sampled_from(LinkKind),
    is_start=st.booleans(),
    moved_to=texts,
    nesting=st.integers(0, 9),
    page_hash=st.binary(max_size=8),
)

VALUES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    bytes: st.binary(max_size=30),
    float: seconds,
    int: sizes,
    str: texts,
    float | None: st.none() | seconds,
    int | None: st.none() | sizes,
    str | None: st.none() | texts,
    FailureKind | None: st.none() | kinds,
    tuple[str, ...]: st.lists(texts, max_size=3).map(tuple),
    tuple[tuple[str, int], ...]: st.lists(st.tuples(texts, sizes), max_size=2).map(tuple),
    tuple[Cookie, ...]: st.lists(cookies, max_size=2).map(tuple),
    CachedVersion | None: st.none() | versions,
    Discovery | None: st.none() | discoveries,
}
"""By the type of a field."""


def structs(struct: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """With a value for every field that there is."""
    types = {field.name: field.type for field in msgspec.structs.fields(struct)}
    return st.builds(
        struct, **{name: fields[name] if name in fields else VALUES[types[name]] for name in types}
    )


def requests(first: st.SearchStrategy[FetchRequest | None]) -> st.SearchStrategy[FetchRequest]:
    return structs(FetchRequest, first=first, input_columns=st.none())


any_request = requests(st.none() | requests(st.none()))
parsed = st.recursive(
    st.none() | st.booleans() | st.integers(INT64.start, INT64.stop - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
"""What a parser may return, as it is in a row."""
records = structs(
    Record,
    error=st.none() | kinds | st.just("http_404"),
    extra=st.dictionaries(texts, parsed, max_size=3),
)
BY_DEFAULT: dict[Any, st.SearchStrategy[Any]] = {
    b"": VALUES[bytes],
    "": texts,
    False: st.booleans(),
    None: VALUES[str | None],
}
"""By a field's default: its type can't be read from the compiled class."""
rest = {field.name: BY_DEFAULT[field.default] for field in msgspec.structs.fields(Outcome)[1:]}
outcomes = st.builds(Outcome, records) | st.builds(
    Outcome, records, **{**rest, "pending_redirect": st.none() | any_request}
)


@given(st.lists(st.tuples(st.integers(0, 1 << 62), any_request), max_size=4))
def test_requests_come_back_as_they_were_but_for_their_number(
    numbered: list[tuple[int, FetchRequest]],
) -> None:
    came = wire.decode_requests(wire.encode_requests(numbered))
    assert came == [replace(request, urlnum=number) for number, request in numbered]
    for request in came:
        assert request.error is None or type(request.error) is FailureKind


@given(st.lists(outcomes, max_size=4), st.lists(sizes, max_size=4))
def test_outcomes_come_back_as_they_were(sent: list[Outcome], numbers: list[int]) -> None:
    items, returned, stuck = wire.decode_outcomes(wire.encode_outcomes(sent, numbers, 3))
    assert (returned, stuck) == (numbers, 3)
    for outcome, fields in zip(sent, items, strict=True):
        came = wire.outcome_of(fields, outcome.record.urlnum)
        redirect = outcome.pending_redirect
        if redirect is not None:
            redirect = wire.renumbered(redirect, outcome.record.urlnum)
        assert came == replace(outcome, pending_redirect=redirect)
        assert type(came.record.error) is type(outcome.record.error)


def test_an_outcome_has_the_number_that_its_request_has_in_the_run() -> None:
    request = urls.request(7, "http://127.0.0.1/")
    outcome = refusal(replace(request, urlnum=1234), FailureKind.REFUSED)
    first = replace(request, urlnum=1234)
    moved = replace(outcome, pending_redirect=replace(request, urlnum=1234, first=first))
    (fields,), _, _ = wire.decode_outcomes(wire.encode_outcomes([moved]))
    assert fields[0] == 1234
    came = wire.outcome_of(fields, 7)
    assert came.pending_redirect is not None
    assert came.pending_redirect.first is not None
    assert (came.record.urlnum, came.pending_redirect.urlnum, came.pending_redirect.first.urlnum) == (7, 7, 7)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"GET / HTTP/1.1",
        msgspec.msgpack.encode((wire.VERSION + 1, [], [], 0)),
        msgspec.msgpack.encode((wire.VERSION + 1, [])),
        msgspec.msgpack.encode((wire.VERSION, [[1]])),
        pickle.dumps((1, [])),
    ],
)
def test_what_is_no_message_of_this_version_is_refused(message: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_requests(message)
    with pytest.raises(wire.WireError):
        wire.outcome_of(wire.decode_outcomes(message)[0][0], 0)


def test_a_message_costs_about_as_much_as_its_bytes() -> None:
    """Ten times what was measured: an accident, a copy of each value, would show."""
    sent = [(number, urls.request(number, f"http://127.0.0.1/{number}")) for number in range(1000)]
    results = [refusal(request, FailureKind.REFUSED) for _, request in sent]
    best = 1.0
    for _ in range(5):
        began = perf_counter()
        came = wire.decode_requests(wire.encode_requests(sent))
        items, _, _ = wire.decode_outcomes(wire.encode_outcomes(results))
        assert len([wire.outcome_of(fields, 0) for fields in items]) == len(came)
        best = min(best, perf_counter() - began)
    assert best / 1000 < 40e-6
