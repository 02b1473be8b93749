"""What every blocking worker does with a request: drive the exchange over its own transport.

In: a `FetchRequest`. Out: an `Outcome`, always. One `Worker` belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.outcome import Outcome, internal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.parser_threads import run_here
from fetchpool.transports.base import HopRequest, ParseRequest
from fetchpool.transports.open import open_transport


class Worker:
    """One transport with its kept connections, and the exchange that tells it what to do."""

    def __init__(
        self,
        options: FetchOptions,
        exchange: Exchange | None = None,
        parse: Callable[[ParseRequest], None] = run_here,
    ) -> None:
        """`exchange`: one to share with others; it holds nothing of a single fetch. `parse`: has a person's
        own parsers run.

        Raises `UsageError` when a parser or the transport can't be loaded."""
        self._exchange = exchange if exchange is not None else Exchange(options)
        self._transport = open_transport(options)
        self._parse = parse

    def fetch(self, request: FetchRequest) -> Outcome:
        """One attempt, all hops. Raises nothing."""
        steps = self._exchange.steps(request)
        perform = self._transport.perform
        try:
            step = next(steps)
            while True:
                if isinstance(step, HopRequest):
                    step = steps.send(perform(step))
                else:
                    self._parse(step)
                    step = steps.send(None)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        except Exception as defect:  # noqa: BLE001 - a defect of ours costs one row, not the run
            return internal(request, defect)
        finally:
            steps.close()  # after a defect it holds what it has begun to keep

    def abort(self) -> None:
        """Ends the hop in flight, and every later one at once. From any thread."""
        self._transport.abort()

    def close(self) -> None:
        """Closes the kept connections."""
        self._transport.close()
