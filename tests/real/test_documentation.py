"""A thousand pages of real documentation from nginx: every size is the file's."""

from __future__ import annotations

from http.client import HTTPConnection

import pytest

import fetchpool
from tests.real.conftest import ENOUGH, Nginx

WAYS = [
    ("thread", "curl"),
    ("thread", "requests"),
    ("process", "curl"),
    ("process", "requests"),
    ("async", "curl"),
]


def test_nginx_serves_the_pages_plain_and_compressed(nginx: Nginx) -> None:
    path, size = max(nginx.pages, key=lambda page: page[1])
    received = {}
    for port in (nginx.plain_port, nginx.gzip_port):
        client = HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("GET", path, headers={"Accept-Encoding": "gzip"})
        response = client.getresponse()
        received[port] = (response.headers["content-encoding"], len(response.read()))
        client.close()
    assert received[nginx.plain_port] == (None, size)
    encoding, compressed_size = received[nginx.gzip_port]
    assert encoding == "gzip"
    assert compressed_size < size


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("executor", "transport"), WAYS)
def test_every_size_is_the_files(nginx: Nginx, transport: str, executor: str, gzip: bool) -> None:
    sizes = {nginx.url(path, gzip=gzip): size for path, size in nginx.pages}
    workers = 2 if executor == "process" else 10
    records = list(fetchpool.fetch(sizes, workers=workers, transport=transport, executor=executor))

    assert [record for record in records if record.error] == []
    assert sorted(record.urlnum for record in records) == list(range(len(sizes)))
    assert {record.url: record.size_delivered for record in records} == sizes
    on_the_wire = sum(record.size_download for record in records)
    assert len(records) >= ENOUGH
    if gzip:
        assert on_the_wire < sum(sizes.values()) / 2
    else:
        assert on_the_wire == sum(sizes.values())
