"""The servers of the benchmark, each in its own process on a free port of loopback.

`nginx()`: one worker, small and large files, plain and with TLS and HTTP/2. `delay()`: responses after a
delay, on every address of 127.0.0.0/8, which allows for hundreds of hosts. Both inherit their listening
sockets: no port is guessed, and clients may connect before the server is up.

`python -m bench.scenarios.servers` measures the capacity of the delay server.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import trustme

ROOT = Path(__file__).parents[2]
SMALL_FILES = 10_000
SMALL_SIZE = 4_096
LARGE_FILES = 20
LARGE_SIZE = 10_000_000
PAGE = "<!doctype html><html><head><title>Page {number:05}</title></head><body><p>{text}"
BACKLOG = 4_096

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types {{ text/html html; }}
    root files;
    server {{
        listen 127.0.0.1:{plain};
        location = /status {{ stub_status; }}
    }}
    server {{
        listen 127.0.0.1:{tls} ssl http2;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        ssl_session_cache shared:TLS:10m;
    }}
}}
"""


class Nginx:
    """A running nginx. Small file k is `/small/k.html`, large file k `/large/k.bin`."""

    def __init__(self, plain: int, tls: int, authority: Path) -> None:
        self.plain = f"http://127.0.0.1:{plain}"
        self.tls = f"https://127.0.0.1:{tls}"
        self.authority = authority
        """The certificate to trust, for `tls`."""
        self._asked = 0

    def answered(self) -> int:
        """Return the number of requests so far, without these queries."""
        self._asked += 1
        with urlopen(f"{self.plain}/status") as response:
            return int(response.read().split()[9]) - self._asked


class Delay(NamedTuple):
    """A running delay server, on every address of 127.0.0.0/8."""

    port: int

    def answered(self) -> int:
        """Requests so far."""
        with urlopen(f"http://127.0.0.1:{self.port}/answered") as response:
            return int(response.read())


@contextmanager
def nginx(directory: Path) -> Iterator[Nginx]:
    """Start an nginx in `directory`. Raises `FileNotFoundError` if it is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nginx is not installed (apt-get install nginx-light)")
    make_files(directory / "files")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "authority.pem"))
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(directory / "server.pem")
    )
    # Started by root, nginx would serve as another user, who has no access to this directory.
    user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
    with (
        listening("127.0.0.1") as plain,
        listening("127.0.0.1") as tls,
        (directory / "nginx.log").open("wb") as log,
    ):
        ports = plain.getsockname()[1], tls.getsockname()[1]
        (directory / "nginx.conf").write_text(CONFIGURATION.format(plain=ports[0], tls=ports[1], user=user))
        sockets = plain.fileno(), tls.fileno()
        child = subprocess.Popen(
            [program, "-p", directory, "-c", directory / "nginx.conf"],
            # The variable it has for replacing its own program while it runs.
            env=os.environ | {"NGINX": "".join(f"{number};" for number in sockets)},
            pass_fds=sockets,
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
    with ended_at_the_end(child):
        yield Nginx(*ports, directory / "authority.pem")


@contextmanager
def delay() -> Iterator[Delay]:
    """Start a delay server."""
    with listening("0.0.0.0") as listener:
        port: int = listener.getsockname()[1]
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.scenarios.delay", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
    with ended_at_the_end(child):
        yield Delay(port)


def listening(address: str) -> socket.socket:
    return socket.create_server((address, 0), backlog=BACKLOG)


@contextmanager
def ended_at_the_end(child: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
        if child.poll() is not None:
            raise RuntimeError(f"{child.args!r} ended by itself")
    finally:
        child.terminate()
        child.wait(10)


def make_files(root: Path) -> None:
    """Write the site: small HTML pages of exactly `SMALL_SIZE` bytes, large files of `LARGE_SIZE`."""
    (root / "small").mkdir(parents=True)
    (root / "large").mkdir()
    text = "The quick brown fox jumps over the lazy dog. " * 100
    for number in range(SMALL_FILES):
        page = PAGE.format(number=number, text=text).encode()[:SMALL_SIZE]
        (root / f"small/{number}.html").write_bytes(page)
    large = os.urandom(LARGE_SIZE)
    for number in range(LARGE_FILES):
        (root / f"large/{number}.bin").write_bytes(large)


def main() -> None:
    """Measure the delay server's capacity: 1,000 connections, with responses after 100 ms and at once."""
    with delay() as server:
        for milliseconds in (100, 0):
            url = f"http://127.0.0.1:{server.port}/{milliseconds}/1000/x"
            subprocess.run(["wrk", "-t1", "-c1000", "-d5s", "--latency", url], check=True)


if __name__ == "__main__":
    main()
