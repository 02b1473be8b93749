"""Worker: runs fetches one after the other in a thread that may block.

In: a `FetchRequest`. Out: an `Outcome`, always. One `Worker` belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.outcome import Outcome, internal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.parser_threads import run_here
from fetchpool.transports import watchdog
from fetchpool.transports.base import HopRequest, ParseRequest
from fetchpool.transports.open import open_transport


class Worker:
    """One transport with its idle connections, and the exchange that uses it."""

    def __init__(
        self,
        options: FetchOptions,
        exchange: Exchange | None = None,
        parse: Callable[[ParseRequest], None] = run_here,
    ) -> None:
        """`exchange` can be shared by workers, since it holds no state of a fetch. `parse` runs user-defined
        parsers.

        Raises `UsageError` when a parser or the transport can't be loaded.
        """
        self._exchange = exchange if exchange is not None else Exchange(options, watchdog.shared().clock.now)
        self._transport = open_transport(options)
        self._parse = parse

    def fetch(self, request: FetchRequest) -> Outcome:
        """Run one attempt, with all hops. Raises nothing."""
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
        except Exception as error:  # noqa: BLE001 - an internal error costs one row, not the run
            return internal(request, error)
        finally:
            steps.close()  # after an error it may hold a partial file

    def abort(self) -> None:
        """End the hop in flight, and every later one at once. Any thread may call it."""
        self._transport.abort()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
