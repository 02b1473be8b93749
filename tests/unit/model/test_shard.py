"""Parts of a list (`--shard K/N`): every host is in one of them, the same one everywhere."""

from __future__ import annotations

import pytest

from fetchpool.model import urls
from fetchpool.model.errors import UsageError
from fetchpool.model.shard import Shard, shard


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_every_url_is_in_exactly_one_part_and_parts_are_alike(parts: int) -> None:
    requests = [urls.request(number, f"http://h{number}.example/") for number in range(2000)]
    sizes = []
    for part in range(1, parts + 1):
        sizes.append(sum(request in Shard(part, parts) for request in requests))
    assert sum(sizes) == 2000
    assert min(sizes) > 0.8 * 2000 / parts


def test_parts_are_the_same_in_every_version() -> None:
    """A run in progress on several machines may be resumed with a later version."""
    names = ["example.org", "www.example.org", "xn--bcher-kva.example", "192.0.2.1", "[2001:db8::1]"]
    found = [
        next(part for part in range(1, 11) if urls.request(0, f"http://{name}/") in Shard(part, 10))
        for name in names
    ]
    assert found == [2, 9, 2, 4, 3]


def test_the_urls_of_a_host_are_in_the_same_part() -> None:
    spellings = [
        "http://example.org/",
        "https://EXAMPLE.org:8443/x?y#z",
        "http://ann:pw@example.org/",
        "example.org",
    ]
    where = [
        [urls.request(number, url) in Shard(part, 50) for part in range(1, 51)]
        for number, url in enumerate(spellings)
    ]
    assert where[0].count(True) == 1
    assert all(each == where[0] for each in where)


def test_an_invalid_url_is_in_one_part() -> None:
    request = urls.request(0, "http://[broken")
    assert [request in Shard(part, 3) for part in (1, 2, 3)].count(True) == 1


def test_a_valid_text_names_a_part() -> None:
    assert shard("--shard", "1/1") == Shard(1, 1)
    assert shard("--shard", "12/100") == Shard(12, 100)


@pytest.mark.parametrize(
    "text",
    [
        "0/4",
        "5/4",
        "1/0",
        "0/0",
        "-1/4",
        "1",
        "1/",
        "/4",
        "1/4/2",
        "a/b",
        "1.0/4",
        " 1/4",
        "\u0661/\u0664",
        "",
        "1/1234567",
    ],
)
def test_any_other_text_is_rejected(text: str) -> None:
    with pytest.raises(UsageError, match="--shard: expected K/N, with K from 1 to N, such as 1/4; got "):
        shard("--shard", text)
