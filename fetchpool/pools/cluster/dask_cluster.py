"""The adapter for Dask distributed: a cluster, found by its scheduler's address.

In: the calls of the pool. Out: events, from the thread of Dask's client. The actors' calls go through the
scheduler, so that one port is enough. Stations are actors. The only other tasks are their anchors, one for
each station, which are neither moved nor repeated.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fetchpool.config.cluster_options import ClusterTarget
from fetchpool.pools.cluster.cluster import (
    Delivered,
    Event,
    Joined,
    Left,
    Lost,
    NotOpened,
    Opened,
    Reported,
    Unreachable,
    Worker,
)
from fetchpool.pools.cluster.dask_connection import open_client
from fetchpool.pools.cluster.dask_station import DaskStation, Sealed, anchor, await_worker
from fetchpool.pools.cluster.local import LocalWorkers

CHECK_INTERVAL = 0.25
"""Seconds between two checks of the connection to the scheduler."""
TOPIC = "all"
"""The topic of the workers that come and go."""
CLOSE = 2.0
"""Seconds to disconnect from the scheduler."""


def open_cluster(target: ClusterTarget) -> DaskCluster:
    """Connect to a cluster, or start workers on this machine. Raises `UsageError`."""
    if not target.local:
        return DaskCluster(target.name, target.address, target.security)
    local = LocalWorkers(target.local)
    try:
        return DaskCluster(target.name, local.address, None, local)
    except BaseException:
        local.close()
        raise


class DaskCluster:
    """A cluster of Dask workers."""

    def __init__(self, name: str, address: str, security: Any, local: LocalWorkers | None = None) -> None:
        """`local`: the workers on this machine, which end with the run."""
        self._local = local
        self._client: Any = open_client(name, address, security)
        self._topic = f"fetchpool-{os.urandom(6).hex()}"
        self._actors: dict[str, Any] = {}
        self._futures: dict[str, list[Any]] = {}
        """The futures that keep each actor and its anchor alive."""
        self._on_event: Callable[[Event], None] = lambda _: None
        self._is_closed = False

    def listen(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self._client.subscribe_topic(self._topic, self._on_report)
        self._client.subscribe_topic(TOPIC, self._on_scheduler_event)
        self._run(self._watch())

    def workers(self) -> list[Worker]:
        return _workers(self._client.scheduler_info(n_workers=-1))

    def open(self, station: str, worker: str, arguments: bytes) -> None:
        self._run(self._open(station, worker, arguments))

    def put(self, station: str, number: int, commands: bytes) -> None:
        self._run(self._put(station, number, commands))

    def drop(self, station: str) -> None:
        self._client.loop.add_callback(self._drop, station)

    def request_worker(self) -> None:
        self._futures[""] = [self._client.submit(await_worker, pure=False)]

    def close(self) -> None:
        self._is_closed = True
        self._actors.clear()
        self._futures.clear()
        with suppress(Exception):  # the scheduler may be gone
            for topic in TOPIC, self._topic:  # it would log that it can't send them any more
                self._client.unsubscribe_topic(topic)
        with suppress(Exception):
            self._client.close(timeout=CLOSE)
        if self._local is not None:
            self._local.close()

    # In the client's thread

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the client's loop."""
        self._client.loop.add_callback(lambda: coroutine)

    async def _open(self, station: str, worker: str, arguments: bytes) -> None:
        client = self._client
        try:
            with client.as_current():
                future = client.submit(
                    DaskStation,
                    station,
                    self._topic,
                    Sealed(arguments),
                    actor=True,
                    workers=[worker],
                    allow_other_workers=False,
                    pure=False,
                    key=f"fetchpool-station-{station}",
                )
                self._futures[station] = [future]
                actor = await client.gather(future, asynchronous=True)
                answer = await actor.opening()
                if station not in self._futures:
                    return
                self._actors[station] = actor
                self._futures[station].append(
                    client.submit(
                        anchor,
                        station,
                        workers=[worker],
                        allow_other_workers=False,
                        pure=False,
                        key=f"fetchpool-anchor-{station}",
                    )
                )
        except asyncio.CancelledError:
            self._on_event(NotOpened(station, "it has left"))
        except Exception as error:  # noqa: BLE001 - whatever the worker raises
            self._on_event(NotOpened(station, _reason(error)))
        else:
            self._on_event(Opened(station, answer))

    async def _put(self, station: str, number: int, commands: bytes) -> None:
        actor = self._actors.get(station)
        try:
            is_taken = actor is not None and await actor.put(number, commands)
        except Exception:  # noqa: BLE001 - the worker is gone, or the station has failed
            self._on_event(Unreachable(station))
        else:
            self._on_event(Delivered(station) if is_taken else Unreachable(station, has_ended=True))

    def _drop(self, station: str) -> None:
        self._actors.pop(station, None)
        for future in reversed(self._futures.pop(station, [])):
            future.release()

    def _on_report(self, event: tuple[float, Any]) -> None:
        station, report = event[1]
        self._on_event(Reported(station, report))

    async def _on_scheduler_event(self, event: tuple[float, Any]) -> None:
        message = event[1]
        action = message.get("action") if isinstance(message, dict) else None
        if action == "remove-worker":
            self._on_event(Left(message["worker"], bool(message.get("expected"))))
        elif action == "add-worker":
            worker = Worker(message["worker"])
            with suppress(OSError):
                info = await self._client.scheduler.identity(n_workers=-1)
                worker = next((each for each in _workers(info) if each.address == worker.address), worker)
            self._on_event(Joined(worker))

    async def _watch(self) -> None:
        """Detect that the scheduler is gone: its workers end, but no event reports that."""
        while self._client.status == "running":
            await asyncio.sleep(CHECK_INTERVAL)
        if not self._is_closed:
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the client's attempts to reconnect
            self._on_event(Lost("the scheduler no longer responds"))


def _workers(info: Any) -> list[Worker]:
    return [Worker(address, each.get("nthreads", 1)) for address, each in info["workers"].items()]


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError) and "fetchpool" in str(error):
        return f"has no such fetchpool ({type(error).__name__}: {error}); install the same version there"
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
