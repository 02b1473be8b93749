"""Two sites as files, served by nginx: pages with links at random, and a tree of any size from a few files.

In: a directory, in memory if possible. Out: the address of a running nginx.

`/s/N/` is the synthetic site of the tests, of N pages of 4 KB with 20 links. `/t/D/` is a tree of depth D in
which each page has ten children: 1,111,111 pages for D = 6, from seven files with relative links.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from bench.scenarios.servers import ended_at_the_end, listening
from tests.crawl.synthetic import SyntheticSite

SIZE = 4096
LINKS = 20
LETTERS = "abcdefgh"
NO_WAITS = "no-waits"
"""The `User-Agent` for which linkchecker does not wait."""
CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    open_file_cache max=5000 inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    types {{ text/html html htm; text/css css; text/plain txt; }}
    # linkchecker waits between two requests, unless the server sends this header.
    map $http_user_agent $linkchecker {{ default ""; {no_waits} on; }}
    add_header LinkChecker $linkchecker;
    root files;
    server {{
        listen 127.0.0.1:{port};
        location = /status {{ stub_status; }}
        location /s/ {{ index index.html; }}
{tree}
    }}
}}
"""


class CrawlSite(NamedTuple):
    """A running nginx."""

    base: str

    def random(self, pages: int) -> str:
        """Return the start page of the random site."""
        return f"{self.base}/s/{pages}/"

    def tree(self, depth: int) -> str:
        """Return the start page of the tree."""
        return f"{self.base}/t/{depth}/"

    def answered(self) -> int:
        """Return the number of requests so far, with those of this method."""
        with urlopen(f"{self.base}/status") as response:
            return int(response.read().split()[9])


def tree_pages(depth: int) -> int:
    """Return the number of pages of a tree."""
    return (10 ** (depth + 1) - 1) // 9


def write_random(root: Path, pages: int) -> None:
    """Write the random site. Links are relative to its start page."""
    (root / f"s/{pages}/p").mkdir(parents=True)
    base = f"/s/{pages}"
    site = PrefixedSite(base, pages, LINKS, size=SIZE)
    for number in range(pages):
        name = f"p/{number}.html" if number else "index.html"
        (root / f"s/{pages}" / name).write_bytes(site.body(number))


class PrefixedSite(SyntheticSite):
    """The synthetic site below a path."""

    def __init__(self, base: str, pages: int, links: int, size: int) -> None:
        super().__init__(pages, links, size=size)
        self._base = base

    def target(self, number: int) -> str:
        return f"{self._base}{super().target(number)}"


def write_tree(root: Path, depth: int, links: int = LINKS) -> None:
    """Write the tree: a file for each level."""
    (root / f"t/{depth}").mkdir(parents=True)
    above = [f"/t/{depth}/a{first}/" for first in range(10)]
    above += [f"{page}b{second}/" for page in above for second in range(10)]
    for level in range(depth + 1):
        children = [f"{LETTERS[level]}{digit}/" for digit in range(10)] if level < depth else []
        page = "<!doctype html><title>Page</title>\n" + "".join(
            f'<a href="{target}">Page</a>\n' for target in [*children, *above][:links]
        )
        filler = ("The quick brown fox jumps over the lazy dog. " * 100)[: max(0, SIZE - len(page) - 4)]
        (root / f"t/{depth}/level{level}.html").write_text(f"{page}<p>{filler}\n")


def tree_locations(depths: Sequence[int]) -> str:
    """Return nginx's configuration for the trees: which file a path means."""
    lines = []
    for depth in depths:
        path = ""
        for level in range(depth + 1):
            lines.append(
                f"        location ~ ^/t/{depth}/{path}$ {{ try_files /t/{depth}/level{level}.html =404; }}"
            )
            path += f"{LETTERS[level]}[0-9]/"
    return "\n".join(lines)


@contextmanager
def nginx(
    directory: Path, *, sites: Sequence[int] = (), trees: Sequence[int] = (), links: int = LINKS
) -> Iterator[CrawlSite]:
    """Write the sites and serve them, or what is in `files` of the directory already. Raises
    `FileNotFoundError` if nginx is not installed."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise FileNotFoundError("nginx is not installed (apt-get install nginx-light)")
    for pages in sites:
        write_random(directory / "files", pages)
    for depth in trees:
        write_tree(directory / "files", depth, links)
    user = f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
    with listening("127.0.0.1") as listener, (directory / "nginx.log").open("wb") as log:
        port = listener.getsockname()[1]
        configuration = CONFIGURATION.format(
            port=port, user=user, tree=tree_locations(trees), no_waits=NO_WAITS
        )
        (directory / "nginx.conf").write_text(configuration)
        child = subprocess.Popen(
            [program, "-p", directory, "-c", directory / "nginx.conf"],
            env=os.environ | {"NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
    with ended_at_the_end(child):
        yield CrawlSite(f"http://127.0.0.1:{port}")
