"""The judge itself: the synthetic site is what its truth says, by a crawl with other libraries."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin

import lxml.html

from tests.crawl.server import Request
from tests.crawl.synthetic import SyntheticSite, Truth


def test_the_synthetic_site_is_what_its_truth_says() -> None:
    site = SyntheticSite(300, planted=True)
    found: dict[str, Truth] = {}
    now = ["/"]
    depth = 0
    while now:
        after = []
        for target in now:
            while target not in found:
                answer = site(Request("GET", "h", target, b""))
                found[target] = Truth(answer.status, depth)
                if answer.status == 302:
                    target = answer.headers[0].removeprefix("Location: ")
                elif answer.status == 200:
                    root = lxml.html.fromstring(answer.body)
                    for anchor in root.xpath("//a[not(@rel)][not(ancestor::template)][@href]"):
                        url = urldefrag(urljoin(f"http://h{target}", anchor.get("href").strip()))[0]
                        if url.startswith("http://h/"):
                            after.append(url.removeprefix("http://h"))
        now, depth = after, depth + 1
    assert found == site.truth()
    assert {truth.status for truth in found.values()} == {200, 302, 404}
    assert max(truth.depth for truth in found.values()) > 5
