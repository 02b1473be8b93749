"""Checks the options of `--executor cluster`. In: the options. Out: the address of the cluster, or a
`UsageError` that names the fix. Options that would send secrets unencrypted are refused here, before anything
connects.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.machine import usable_cores
from fetchpool.config.option import Secret
from fetchpool.config.secrets import is_credential
from fetchpool.model.errors import UsageError

LOCAL = re.compile(r"local(?::(\d+))?")
MAX_LOCAL = 256
SCHEMES = ("tcp://", "tls://")
NEEDS_DASK = "--executor cluster: needs Dask; pip install 'fetchpool[cluster]'"
NEEDS_ADDRESS = "--executor cluster requires --cluster: tcp://HOST:PORT, a scheduler file, or local"
PER_WORKER = 100
"""Concurrent fetches for each worker that is present at the start, unless the user sets their number."""


class ClusterTarget(Struct, frozen=True):
    """The address of a cluster."""

    name: str
    """The value as the user wrote it."""
    address: str = ""
    """The address of its scheduler; empty for workers that the run starts on this machine."""
    local: int = 0
    """The number of workers that the run starts on this machine."""
    security: Any = None
    """The certificates of a program's own client; None for Dask's configuration."""


def check_cluster(label: str, value: Any) -> Any:
    """Return the value of `--cluster`: a text, or a program's `distributed.Client`."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        if not value:
            raise UsageError(NEEDS_ADDRESS)
        return value
    if hasattr(value, "scheduler_info") and hasattr(value, "scheduler"):
        return value
    if isinstance(getattr(value, "scheduler_address", None), str):
        return value
    raise UsageError(f"{label}: expected an address or a distributed.Client, got {type(value).__name__}")


def cluster_target(values: Mapping[str, Any], environment: Mapping[str, str]) -> ClusterTarget:
    """Return the address of a run's cluster."""
    given = values["cluster"]
    if find_spec("distributed") is None:
        raise UsageError(NEEDS_DASK)
    _refuse_others(values)
    if given is None:
        given = environment.get("DASK_SCHEDULER_ADDRESS") or _configured_address()
        if not given:
            raise UsageError(NEEDS_ADDRESS)
    if not isinstance(given, str):
        scheduler = getattr(given, "scheduler", None)
        address = getattr(given, "scheduler_address", None) or getattr(scheduler, "address", "")
        if not isinstance(address, str) or not address:
            raise UsageError("--cluster: this client is not connected to a cluster")
        return ClusterTarget(address, address, security=getattr(given, "security", None))
    if (match := LOCAL.fullmatch(given)) is not None:
        number = int(match[1]) if match[1] else usable_cores()
        if not 1 <= number <= MAX_LOCAL:
            raise UsageError(f"--cluster {given}: expected local:1 to local:{MAX_LOCAL}")
        return ClusterTarget(given, local=number)
    return ClusterTarget(given, _address(given))


def _refuse_others(values: Mapping[str, Any]) -> None:
    if values["transport"] == "requests":
        raise UsageError("--transport requests: workers of a cluster use curl")
    if values["warc"]:
        raise UsageError(
            "--warc: an archive is written by one machine; with --executor cluster use --save on a shared "
            "directory"
        )
    if values["limit_rate"] is not None:
        raise UsageError("--limit-rate: the workers of a cluster share no limit; use --rate or -w")


def _configured_address() -> str:
    """Return the address in Dask's own configuration."""
    import dask.config

    return str(dask.config.get("scheduler-address", None) or "")


def _address(given: str) -> str:
    """Return the address of a scheduler from an address or a scheduler file."""
    if given.startswith(SCHEMES):
        try:
            parts = urlsplit(given)
            if parts.hostname and parts.port:
                return given
        except ValueError:
            pass
        raise UsageError(f"--cluster {given}: expected {given[:6]}HOST:PORT")
    if "://" in given:
        raise UsageError(
            f"--cluster {given}: expected tcp://HOST:PORT, tls://HOST:PORT, a scheduler file, or local"
        )
    try:
        with open(given, "rb") as file:  # noqa: PTH123 - a path as the user wrote it
            content = json.load(file)
    except OSError as error:
        raise UsageError(f"--cluster {given}: {error.strerror or error}") from None
    except ValueError:
        content = None
    address = content.get("address") if isinstance(content, dict) else None
    if not isinstance(address, str) or "://" not in address:
        raise UsageError(f"--cluster {given}: not a scheduler file")
    return address


def refuse_secrets(target: ClusterTarget, fetch: FetchOptions) -> tuple[str, ...]:
    """Raise `UsageError` if options have secrets that would cross the network unencrypted. Return a notice
    about an unencrypted connection without secrets."""
    if not target.address.startswith("tcp://") or _is_loopback(target.address):
        return ()
    if secret := _secret(fetch):
        raise UsageError(f"--cluster {target.name}: {secret} would cross the network unencrypted; use tls://")
    return (
        f"--cluster {target.name}: not encrypted, and anyone who can reach that port can run programs on "
        "all machines of the cluster; tls:// requires certificates",
    )


def _secret(fetch: FetchOptions) -> str:
    """Return the option that has a secret; empty if none has."""
    if fetch.user is not None:
        return "--user"
    if fetch.netrc:
        return "--netrc"
    for name, value in fetch.headers:
        if is_credential(Secret.HEADER, f"{name}: {value}"):
            return f"-H {name}"
    if fetch.cookies:
        return "--cookie"
    if any("@" in proxy for proxy in (fetch.proxy or "", *(proxy for _, proxy in fetch.proxies))):
        return "--proxy with a password"
    return "--key" if fetch.key or fetch.cert else ""


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
