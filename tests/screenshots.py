"""Takes pictures of the web page, to look at: `make screenshots`, or `python -m tests.screenshots DIRECTORY`.

In four states, light and dark, 1,600 and 360 pixels wide; and `docs/pictures/page.png` for the README. The
runs are made up, the page and the browser are real.
"""

from __future__ import annotations

import base64
import math
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from fetchpool.engine.events import (
    TIME_BOUNDS,
    ActiveRequest,
    BusyHost,
    FailingHost,
    FailureCount,
    Hosts,
    Snapshot,
)
from fetchpool.model.steering import Settings, State
from fetchpool.scheduler.waits import PausedHost, Wait, WaitReason
from tests.factories import EVEN, snapshot
from tests.web.browser import Browser, wait_until
from tests.web.process import PageProcess

STATES = ("running", "paused", "failing", "ended")
README_PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "page.png"
SECONDS = 300
URLS = 1_000_000
SUMMARY = (
    "363,109 URLs in 5 min 00 s: 353,114 ok, 9,995 failed",
    "1,210 URLs/s, 8.5 GB (28.2 MB/s)",
    "stopped from the web page; run the same command with --resume",
)


def run(state: str) -> Iterator[Snapshot]:
    """The snapshots of a run, one a second."""
    draw = random.Random(4)
    ok = failed = size = 0
    times = [0] * (len(TIME_BOUNDS) + 1)
    waits = dict.fromkeys(("workers", "host_limit", "dns", "backoff"), 0.0)
    for second in range(SECONDS + 1):
        wave = 1 + 0.12 * math.sin(second / 19) + draw.gauss(0, 0.05)
        rate = 1230 * wave * min(1, second / 12 + 0.2)
        bad = 0.022 + 0.01 * draw.random()
        p50, p95 = 0.041 / wave, 0.210 / wave * (1 + 0.3 * draw.random())
        flight = 64
        if state == "failing" and second > 190:
            bad, rate, p50, p95 = min(0.9, (second - 190) / 80), rate * 0.45, 0.4, 5 + draw.random()
        if state == "paused" and second > 262:
            rate, flight = 0.0, 0
        good, lost = round(rate * (1 - bad)), round(rate * bad)
        ok, failed, size = ok + good, failed + lost, size + good * 24_000
        for _ in range(40 if rate else 0):
            at = min(
                len(TIME_BOUNDS),
                max(0, round(11 + draw.gauss(0, 4) + (second > 190) * (state == "failing") * 9)),
            )
            times[at] += (good + lost) // 40
        for name, share in zip(waits, (0.71, 0.19, 0.06, 0.04), strict=True):
            waits[name] += share
        yield snapshot(
            seq=second,
            elapsed=float(second),
            done=ok + failed,
            ok=ok,
            failed=kinds(failed, state),
            retries=failed // 4,
            in_flight=flight,
            slowest=slowest() if flight else (),
            queued=9812,
            total=URLS,
            settings=Settings(64, 1000, None, 10),
            total_exact=second > 100,
            eta=(URLS - ok - failed) / rate if rate else None,
            size_delivered=size,
            urls_per_second=rate,
            rate_average=(ok + failed) / max(second, 1),
            bytes_per_second=rate * 24_000,
            time_p50=0.041,
            time_p95=0.213,
            recent_p50=p50 if rate else None,
            recent_p95=p95 if rate else None,
            workers=64,
            wait_times=replace(EVEN, **waits),
            times=tuple(times),
            hosts=hosts(state),
            wait=Wait(WaitReason.BACKOFF, 1840, 12.0, host="images.example.org", hosts=1, status=429)
            if state == "failing"
            else None,
        )


def kinds(failed: int, state: str) -> tuple[FailureCount, ...]:
    shares = {"http_404": 0.72, "dns": 0.16, "timeout_connect": 0.07, "tls": 0.03, "truncated": 0.02}
    if state == "failing":
        shares = {
            "http_503": 0.61,
            "timeout_total": 0.2,
            **{name: share / 6 for name, share in shares.items()},
        }
    examples = {
        "dns": "http://no-such-host.example.net/index.html",
        "tls": "https://expired.example.com/",
        "truncated": "https://downloads.example.com/archives/2026/11/a-rather-long-name-of-a-file.tar.gz?mirror=3",
    }
    return tuple(
        FailureCount(
            name,
            round(failed * share),
            (examples.get(name, f"https://shop.example.org/products/{index}871?ref=feed"),),
        )
        for index, (name, share) in enumerate(shares.items())
        if round(failed * share)
    )


def slowest() -> tuple[ActiveRequest, ...]:
    return tuple(
        ActiveRequest(f"https://slow-{index}.example.org/reports/2026/annual.pdf", seconds)
        for index, seconds in enumerate((42.0, 18.3, 12.1, 9.4, 3.3))
    )


def hosts(state: str) -> Hosts:
    return Hosts(
        busiest=tuple(
            BusyHost(f"{name}.example.org", 10 - index, 4011 // (index + 1))
            for index, name in enumerate(("www", "shop", "images", "docs", "blog", "static", "api", "old"))
        ),
        paused=(PausedHost("images.example.org", 1840, 12.0, WaitReason.BACKOFF, 429),),
        failing=tuple(
            FailingHost(
                f"{name}.example.org", 9000 // (index + 2), "http_503" if state == "failing" else "http_404"
            )
            for index, name in enumerate(("shop", "old", "images"))
        ),
    )


def main() -> None:
    """Take all pictures."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    directory.mkdir(parents=True, exist_ok=True)
    began = time.time() - SECONDS
    with Browser() as browser:
        for state in STATES:
            with PageProcess() as page:
                shots = list(run(state))
                if state in ("paused", "ended"):
                    last = replace(shots[-1], urls_per_second=0.0, bytes_per_second=0.0, eta=None)
                    shots[-1] = replace(last, state=State(state))
                page.show(shots)
                page.notice(began + 3, "-w 64: 3 of 64 files are open already")
                if state in ("paused", "ended"):
                    page.notice(began + 262, "paused from the web page")
                browser.open(page.link())
                browser.wait_for("1,000,000")
                if state == "ended":
                    page.end(1, *SUMMARY)
                    browser.wait_for("exit code 1")
                for scheme in ("light", "dark"):
                    browser.scheme(scheme)
                    for width in (1600, 360):
                        browser.size(width, 900)
                        take(browser, width, directory / f"page-{state}-{scheme}-{width}.png")
                if state == "running":
                    browser.scheme("light")
                    browser.size(1280, 880)
                    take(browser, 1280, README_PICTURE, height=880)
    print(directory)  # noqa: T201


def take(browser: Browser, width: int, path: Path, height: int = 0) -> None:
    """Takes a picture when the charts fit: of the top of the page, or of all of it."""
    ready = (
        "return document.querySelector('.uplot').clientWidth === document.querySelector('.plot').clientWidth"
    )
    wait_until(lambda: browser.driver.execute_script(ready), "the charts fit")
    height = height or browser.driver.execute_script("return document.documentElement.scrollHeight")
    browser.size(width, height)
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    path.write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main()
