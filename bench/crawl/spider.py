"""Scrapy's CrawlSpider, with a line for each page: `python -m bench.crawl.spider URL WORKERS ROWS`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from scrapy.crawler import CrawlerProcess
from scrapy.http import Response
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule

SETTINGS = {
    "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
    "ROBOTSTXT_OBEY": True,
    "LOG_LEVEL": "ERROR",
    "TELNETCONSOLE_ENABLED": False,
    "RETRY_ENABLED": True,
    "COOKIES_ENABLED": False,
    "DOWNLOAD_DELAY": 0,
    "AUTOTHROTTLE_ENABLED": False,
    # The queue on disk, in the order of a breadth-first crawl, as fetchpool has it.
    "DEPTH_PRIORITY": 1,
    "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleFifoDiskQueue",
    "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
}


class Spider(CrawlSpider):
    name = "bench"
    rules = (Rule(LinkExtractor(), callback="row", follow=True),)

    def parse_start_url(self, response: Response, **_: Any) -> Iterator[dict[str, object]]:
        return self.row(response)

    def row(self, response: Response) -> Iterator[dict[str, object]]:
        yield {"url": response.url, "response_code": response.status, "size_delivered": len(response.body)}


def main() -> None:
    url, workers, rows = sys.argv[1:]
    settings = {
        **SETTINGS,
        "CONCURRENT_REQUESTS": int(workers),
        "FEEDS": {rows: {"format": "jsonlines"}},
        "JOBDIR": f"{rows}.job",
    }
    process = CrawlerProcess(settings)
    process.crawl(Spider, start_urls=[url], allowed_domains=["127.0.0.1"])
    process.start()


if __name__ == "__main__":
    main()
