"""HTTP/2, by nginx: many hops share a connection."""

from __future__ import annotations

from concurrent.futures import wait

import pytest

from fetchpool import Pool
from tests.at_once import AtOnce
from tests.real.conftest import Nginx

at_once = AtOnce()


@pytest.mark.parametrize("executor", ["thread", "async"])
@at_once
def test_a_silent_hop_times_out_while_others_receive_over_its_connection(nginx: Nginx, executor: str) -> None:
    page, _ = min(nginx.pages, key=lambda page: page[1])
    base = f"https://127.0.0.1:{nginx.tls_port}"
    with Pool(
        4, executor=executor, insecure=True, http_version="2", read_timeout="1s", max_time="20s"
    ) as pool:
        assert pool.submit(base + page).result(20).http_version == "2"
        silent = pool.submit(base + "/silent")
        while not wait([silent], 0.01).done:
            assert pool.submit(base + page).result(20).error is None
        assert silent.result(0).error == "timeout_read"
