"""Network namespaces for the workers of a cluster: each has an address and a link that can be cut.

Needs root and `ip`, on Linux.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from typing import Self

PREFIX = "10.213.77."


class Network:
    """A bridge, at whose addresses the tests listen, and a namespace for each worker."""

    def __init__(self, namespaces: int, hosts: int = 1) -> None:
        """Raises `OSError` if that is not possible here."""
        if os.geteuid() or shutil.which("ip") is None:
            raise PermissionError("network namespaces need root and `ip`")
        self.hosts = [f"{PREFIX}{1 + number}" for number in range(hosts)]
        self.addresses = [f"{PREFIX}{101 + number}" for number in range(namespaces)]
        self._name = f"fp{os.getpid() % 100_000}"
        try:
            self._build()
        except OSError:
            self.close()
            raise

    def _build(self) -> None:
        bridge = self._name
        ip("link", "add", bridge, "type", "bridge")
        for host in self.hosts:
            ip("address", "add", f"{host}/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number, address in enumerate(self.addresses):
            name, inside = self.name(number), f"{self._name}i{number}"
            ip("netns", "add", name)
            ip("link", "add", name, "type", "veth", "peer", "name", inside, "netns", name)
            ip("link", "set", name, "master", bridge, "up")
            ip("-n", name, "address", "add", f"{address}/24", "dev", inside)
            ip("-n", name, "link", "set", inside, "up")
            ip("-n", name, "link", "set", "lo", "up")

    def name(self, number: int) -> str:
        """Return the name of a namespace, and of its link."""
        return f"{self._name}n{number}"

    def cut(self, number: int) -> None:
        """Cut a namespace off: what it sends is lost, and so is what is sent to it."""
        ip("link", "set", self.name(number), "down")

    def connect(self, number: int) -> None:
        """End that."""
        ip("link", "set", self.name(number), "up")

    def close(self) -> None:
        for number in range(len(self.addresses)):
            with suppress(OSError):
                ip("netns", "delete", self.name(number))
        with suppress(OSError):
            ip("link", "delete", self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
