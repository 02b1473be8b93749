"""The code that Dask runs in a worker: a station as an actor, and a task that shows Dask that the worker is
busy.

In: the arguments of a station, and the driver's calls. Out: reports, as events of the run's topic.
"""

from __future__ import annotations

from functools import partial
from weakref import WeakValueDictionary

from distributed import get_worker, secede
from distributed.worker import Worker

from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.host import StationHost

WORKING = ("running", "paused")
"""The states of a worker that is part of its cluster."""
_hosts: WeakValueDictionary[str, StationHost] = WeakValueDictionary()


class Sealed:
    """Bytes that no log shows: the options of a run may contain passwords."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __repr__(self) -> str:
        return "Sealed()"

    def __reduce__(self) -> tuple[type[Sealed], tuple[bytes]]:
        return Sealed, (self.content,)


class DaskStation:
    """The actor: one for each station."""

    def __init__(self, name: str, topic: str, arguments: Sealed) -> None:
        worker = get_worker()
        self._host = _hosts[name] = StationHost(
            arguments.content, partial(publish, worker, topic, name), is_cut_off=partial(is_cut_off, worker)
        )

    async def opening(self) -> bytes:
        """Return the station's `Opening`. Asynchronous, like `put()`: it runs in the worker's loop, without a
        thread."""
        return messages.encode(self._host.opening)

    async def put(self, number: int, commands: bytes) -> bool:
        """Carry out a call of the driver."""
        return self._host.put(number, commands)

    def __del__(self) -> None:
        """End the station: the driver has dropped it, or is gone."""
        if hasattr(self, "_host"):
            self._host.close()


def publish(worker: Worker, topic: str, name: str, report: bytes) -> None:
    """Send a report. The report of a worker that has left its cluster is lost, like the worker."""
    worker.log_event(topic, [name, report])


def is_cut_off(worker: Worker) -> bool:
    """Whether a worker is no longer part of its cluster."""
    return worker.status.name not in WORKING


def anchor(name: str) -> None:
    """Run as long as a station works: Dask closes workers without tasks as idle."""
    host = _hosts.get(name)
    if host is None:
        return
    secede()  # type: ignore[no-untyped-call]
    host.ended.wait()


def await_worker() -> None:
    """Do nothing, on any worker: an adaptive cluster starts a worker for this task."""
