"""Real input: the documentation that Debian installs, served by nginx on loopback.

Needs `nginx` and a thousand pages below /usr/share/doc (`apt-get install nginx-light python3-doc`).
Without them these tests are skipped on a developer's machine; if the variable CI is set, they fail.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
import trustme

DOCUMENTATION = Path("/usr/share/doc")
ENOUGH = 1000
"""Pages: what "real input" means here."""

# The listening sockets are made here and handed down, by the variable that nginx has for replacing
# its own program while it runs. So no port is guessed, and clients may connect before it is up.
CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types {{ text/html html; text/plain txt; text/css css; }}
    root {root};
    server {{ listen 127.0.0.1:{plain_port}; }}
    server {{ listen 127.0.0.1:{gzip_port}; gzip on; gzip_types *; gzip_min_length 1; }}
    server {{
        listen 127.0.0.1:{tls_port} ssl http2;
        keepalive_requests 1000000;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        location /silent {{ proxy_pass http://127.0.0.1:{silent_port}; }}
    }}
}}
"""


class Nginx(NamedTuple):
    """A running nginx, and what there is to fetch from it."""

    plain_port: int
    gzip_port: int
    tls_port: int
    """HTTP/2 for those who ask for it; `/silent` never answers."""
    pages: list[tuple[str, int]]
    """URL path and size in bytes of each file, at least a thousand."""

    def url(self, path: str, *, gzip: bool = False) -> str:
        """The URL of one of `pages`; with `gzip` it comes compressed, for who accepts it."""
        return f"http://127.0.0.1:{self.gzip_port if gzip else self.plain_port}{path}"


def find_pages() -> list[tuple[str, int]]:
    """Python's documentation first; other packages' pages where that is not yet enough."""
    files: dict[Path, None] = {}
    for pattern in ("python3*/html/**/*.html", "python3*/html/**/*.txt", "**/*.html", "**/*.txt"):
        if len(files) < ENOUGH:
            found = (path.resolve() for path in sorted(DOCUMENTATION.glob(pattern)) if path.is_file())
            kept = (path for path in found if path.is_relative_to(DOCUMENTATION))
            files.update(dict.fromkeys(kept if pattern.startswith("python3") else islice(kept, 3 * ENOUGH)))
    return [(quote(f"/{file.relative_to(DOCUMENTATION)}"), file.stat().st_size) for file in files]


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    pages = find_pages()
    if program is None or len(pages) < ENOUGH:
        reason = (
            f"needs nginx ({program or 'not found'}) and {ENOUGH} pages below {DOCUMENTATION}"
            f" ({len(pages)} found): apt-get install nginx-light python3-doc"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("nginx")
    with (
        socket.create_server(("127.0.0.1", 0), backlog=511) as plain,
        socket.create_server(("127.0.0.1", 0), backlog=511) as zipped,
        socket.create_server(("127.0.0.1", 0), backlog=511) as secure,
        socket.create_server(("127.0.0.1", 0), backlog=511) as silent,
    ):
        ports = plain.getsockname()[1], zipped.getsockname()[1], secure.getsockname()[1]
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
            str(directory / "server.pem")
        )
        configuration = directory / "nginx.conf"
        # Started by root, it would serve as another user, who can't see into this directory.
        user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
        configuration.write_text(
            CONFIGURATION.format(
                root=DOCUMENTATION,
                plain_port=ports[0],
                gzip_port=ports[1],
                tls_port=ports[2],
                silent_port=silent.getsockname()[1],
                user=user,
            )
        )
        child = subprocess.Popen(
            [program, "-p", directory, "-c", configuration],
            env=os.environ | {"NGINX": f"{plain.fileno()};{zipped.fileno()};{secure.fileno()};"},
            pass_fds=(plain.fileno(), zipped.fileno(), secure.fileno()),
            stdin=subprocess.DEVNULL,
        )
        try:
            yield Nginx(*ports, pages)
            assert child.poll() is None, "nginx ended by itself: its reasons are on stderr"
        finally:
            child.terminate()
            child.wait(10)
