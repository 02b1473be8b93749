"""A crawl on a cluster: the same rows as on one machine, whichever worker finds a link first (T40)."""

from __future__ import annotations

from tests.cluster.dask_processes import DaskProcesses
from tests.crawl.crawling import crawl
from tests.crawl.server import SiteServer
from tests.crawl.synthetic import SyntheticSite


def test_t40_the_rows_of_a_crawl_on_a_cluster_are_the_same_with_every_number_of_workers(
    shared_dask: DaskProcesses,
) -> None:
    site = SyntheticSite(60, planted=True)
    expected = {target: entry.status for target, entry in site.truth().items()}
    for workers in (1, 10, 200):
        with SiteServer(site) as server:
            found = crawl(server, executor="cluster", cluster=str(shared_dask.file), workers=workers)
            assert {target: row.response_code for target, row in found.items()} == expected, workers
            assert server.asked() == expected.keys()
            assert set(server.requests.values()) == {1}
