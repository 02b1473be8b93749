"""The engine reads ahead in turns: a list that nothing comes of is no reason to stop listening or writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.model.record import Record
from fetchpool.sources.iterable import IterableSource


class CountingSink:
    """Remembers how many rows it was given at once, and calls back."""

    name = "counted"
    is_nonblocking = True

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.batches: list[int] = []
        self._then = then

    def write(self, records: Sequence[Record]) -> None:
        self.batches.append(len(records))
        self._then(sum(self.batches))

    def flush(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("dedupe", [True, False])
def test_urls_that_cannot_be_fetched_are_written_in_small_batches(dedupe: bool) -> None:
    sink = CountingSink()
    source = IterableSource(f"http://[{number}" for number in range(3000))
    result = build(configure(dedupe=dedupe), source=source, sinks=[sink]).run()
    assert sum(sink.batches) == result.rows[0] == 3000
    assert max(sink.batches) < 100


def test_a_list_of_nothing_but_duplicates_is_stopped_at_once() -> None:
    taken = 0

    def forever() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "http://["

    engine = build(
        configure(), source=IterableSource(forever()), sinks=[CountingSink(lambda _: engine.stop())]
    )
    result = engine.run()
    assert (result.rows, result.interrupted) == ((1,), True)
    assert taken < 100
    assert result.snapshot.duplicates <= taken - 1  # some may have been made and not looked at
