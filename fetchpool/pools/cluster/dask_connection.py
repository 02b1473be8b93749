"""Connects to the scheduler of a cluster.

In: its address, and certificates. Out: a client of Dask, or a `UsageError` that says in words why not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import dask.config
from distributed import Client, Security
from distributed.comm.core import connect

from fetchpool.model.errors import UsageError
from fetchpool.pools.cluster.connection_errors import explain
from fetchpool.runtime import threads

CONNECT = 10.0
"""Seconds to reach the scheduler."""


def open_client(where: str, address: str, security: Any) -> Client:
    """Return a client of the scheduler with this address. `where`: as the user has written it. Raises
    `UsageError`."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed.")]
    for name in ("distributed", "tornado.application", *names):  # events say what is wrong
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        if not dask.config.get("distributed.client.security-loader", None):
            _greet(address, Security() if security is None else security)  # type: ignore[no-untyped-call]
        return Client(  # type: ignore[no-untyped-call]
            address,
            security=security,
            timeout=CONNECT,
            set_as_default=False,
            name="fetchpool",
            direct_to_workers=False,
        )
    except (OSError, ValueError, ImportError, TypeError, TimeoutError) as error:
        if isinstance(error, TypeError) and "ssl_context" not in str(error):
            raise
        raise UsageError(f"--cluster {where}: {explain(error, address)}") from None


def _greet(address: str, security: Security) -> None:
    """Connect as a client does, for no longer than `CONNECT`: a client waits forever for the greeting of a
    server that is not a scheduler. Raises what a client would."""
    failures: list[BaseException] = []

    async def greet() -> None:
        arguments = security.get_connection_args("client")  # type: ignore[no-untyped-call]
        comm = await connect(address, timeout=CONNECT, **arguments)  # type: ignore[no-untyped-call]
        comm.abort()

    def run() -> None:
        try:
            asyncio.run(asyncio.wait_for(greet(), CONNECT))
        except BaseException as failure:  # noqa: BLE001 - raised by the caller's thread
            failures.append(failure)

    # A thread of its own: the caller's may be running a loop, as in a notebook.
    threads.start(run, "fetchpool-greeting").join()
    if failures:
        raise failures[0]
