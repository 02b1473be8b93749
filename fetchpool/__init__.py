"""Fetch a list of ten URLs or a hundred million: fast, politely, one row per URL.

    import fetchpool

    for record in fetchpool.fetch(urls, workers=10):
        print(record.url, record.size_delivered if record.ok else record.error)

Names are loaded when they are first used: `import fetchpool` costs nothing.
"""

from __future__ import annotations

import os
import sys

if (
    sys.argv[:1] == ["-m"]
    and ("-m", "fetchpool") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
    and not sys.flags.safe_path
    and __path__[0] != f"{sys.path[0]}{os.sep}fetchpool"
):
    # `python -m fetchpool`: the working directory is searched last, not first, so that a user's `queue.py`
    # does not hide the standard library's. Unless this package is there: worker processes would then import
    # another one, which is installed.
    sys.path.append(sys.path.pop(0))

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fetchpool.api.aio import AsyncPool, afetch
    from fetchpool.api.pool import Pool
    from fetchpool.api.run import fetch
    from fetchpool.http.response import Response
    from fetchpool.model.errors import (
        FetchpoolError,
        InputError,
        OutputError,
        PoolClosedError,
        UsageError,
        WorkerLostError,
    )
    from fetchpool.model.failures import FailureKind
    from fetchpool.model.record import Record
    from fetchpool.model.version import VERSION as __version__  # noqa: N811

_MODULES = {
    "fetch": "api.run",
    "afetch": "api.aio",
    "Pool": "api.pool",
    "AsyncPool": "api.aio",
    "Record": "model.record",
    "FailureKind": "model.failures",
    "Response": "http.response",
    "FetchpoolError": "model.errors",
    "UsageError": "model.errors",
    "InputError": "model.errors",
    "OutputError": "model.errors",
    "PoolClosedError": "model.errors",
    "WorkerLostError": "model.errors",
}

__all__ = [
    "AsyncPool",
    "FailureKind",
    "FetchpoolError",
    "InputError",
    "OutputError",
    "Pool",
    "PoolClosedError",
    "Record",
    "Response",
    "UsageError",
    "WorkerLostError",
    "__version__",
    "afetch",
    "fetch",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from fetchpool.model.version import VERSION

        return VERSION
    if name not in _MODULES:
        raise AttributeError(f"module 'fetchpool' has no attribute {name!r}")
    from fetchpool.runtime.forks import none_meanwhile

    with none_meanwhile():
        return getattr(import_module(f"fetchpool.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
