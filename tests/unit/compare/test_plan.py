"""The plan of a comparison: its order, and whom it requests."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from fetchpool.compare.plan import Combination, PublicHosts, make_plan, refuse_public
from fetchpool.compare.trial import MAX_PATH, temporary_directory
from fetchpool.model.errors import UsageError


def refuse_async_requests(combination: Combination) -> None:
    if combination == Combination("async", "requests"):
        raise UsageError("no such thing")


def test_every_round_runs_each_combination_once_in_an_order_of_its_own_that_the_seed_repeats() -> None:
    names = ("thread", "process", "async"), ("curl", "requests")
    plan = make_plan(*names, 8, 7, refuse_async_requests)
    assert plan.missing == ((Combination("async", "requests"), "no such thing"),)
    rounds = list(plan.rounds())
    assert [number for number, _ in rounds] == list(range(9))
    assert all(sorted(map(str, each)) == sorted(map(str, plan.combinations)) for _, each in rounds)
    assert len({tuple(each) for _, each in rounds}) > 4
    assert plan.trials == sum(len(each) for _, each in rounds) == 45
    assert list(plan.rounds()) == rounds
    assert list(make_plan(*names, 8, 8, refuse_async_requests).rounds()) != rounds


def test_a_comparison_of_nothing_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="no such thing"):
        make_plan(("async",), ("requests",), 1, 1, refuse_async_requests)


ADDRESSES = {"public.example": ["93.184.216.34"], "both.example": ["10.0.0.1", "93.184.216.34"]}


def resolve(name: str) -> list[str]:
    if name == "nowhere.example":
        raise socket.gaierror(socket.EAI_NONAME, "unknown")
    if name == "later.example":
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")
    return ADDRESSES.get(name, ["192.168.0.7"])


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("127.0.0.1", False),
        ("[::1]", False),
        ("localhost", False),
        ("a.localhost", False),
        ("10.1.2.3", False),
        ("93.184.216.34", True),
        ("[2606:2800:220:1::]", True),
        ("intranet", False),
        ("public.example", True),
        ("both.example", True),
        ("nowhere.example", True),
        ("nowhere.invalid", False),
        ("later.example", True),
    ],
)
def test_a_host_is_public_if_an_address_of_it_is(host: str, is_public: bool) -> None:
    assert PublicHosts(resolve=resolve)(host) is is_public


def test_names_that_the_user_gives_addresses_for_are_not_public() -> None:
    assert not PublicHosts(["public.example"], resolve=resolve)("public.example")


def test_not_more_than_a_hundred_names_are_resolved() -> None:
    resolved: list[str] = []
    hosts = PublicHosts(resolve=lambda name: [resolved.append(name) or "10.0.0.1"])  # type: ignore[func-returns-value]
    found = [hosts(f"host-{number}") for number in range(102)]
    assert found == [False] * 100 + [True] * 2
    assert len(resolved) == 100


def test_a_refusal_names_the_host_and_the_number_of_requests() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_public(["intranet", "public.example"], 1_000, 15, is_public=PublicHosts(resolve=resolve))
    assert "public.example is a public host" in str(caught.value)
    assert "1,000 URLs × 15 trials are 15,000 requests" in str(caught.value)  # noqa: RUF001
    assert "--yes" in str(caught.value)


def test_a_temporary_directory_has_a_path_short_enough_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    path = temporary_directory()
    assert len(str(path)) <= MAX_PATH
    path.rmdir()
    assert not list(deep.iterdir())
