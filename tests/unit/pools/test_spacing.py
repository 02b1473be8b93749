"""The time between two starts at a host, measured where they start."""

from __future__ import annotations

from fetchpool.model.request import FetchRequest
from fetchpool.pools import spacing
from fetchpool.pools.spacing import StartSpacer


def request(host: str, number: int = 0, seconds: float = 2.0) -> FetchRequest:
    url = f"http://{host}/{number}"
    return FetchRequest(number, url, url, host, spacing=seconds)


def test_a_start_waits_until_the_last_one_is_long_enough_ago() -> None:
    spacer = StartSpacer()
    assert spacer.start(request("a"), 10.0)
    assert not spacer.start(request("a", 1), 11.0)
    assert spacer.start(request("b"), 11.0)
    assert spacer.next_due == 12.0
    assert spacer.take(11.9) is None
    taken = spacer.take(12.5)
    assert taken is not None
    assert taken.urlnum == 1
    assert not spacer.start(request("a", 2), 14.0)  # counted from the actual start
    assert spacer.start(request("a", 3, 1.5), 14.0) is False  # those that came before it wait, too
    assert [each.urlnum for each in spacer.remove("a")] == [2, 3]


def test_a_host_is_remembered_for_as_long_as_its_spacing_however_many_others_start() -> None:
    number = spacing.REMEMBERED + 100
    spacer = StartSpacer()
    for each in range(number):
        assert spacer.start(request(str(each), seconds=60.0), 10.0)
    assert not spacer.start(request("0", seconds=60.0), 69.0)
    for each in range(number, number + 200):
        assert spacer.start(request(str(each), seconds=60.0), 70.0)
    assert len(spacer._last) == spacing.REMEMBERED
