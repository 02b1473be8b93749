"""A synthetic site with a seed, whose truth is known without crawling it: URLs, statuses, depths, dead links.

In: the number of pages, and a seed. Out: each page when it is asked for, of a site of any size; what a crawl
of it must find.

Page 0 is `/`. Page k links to its children 3k+1 to 3k+3, in a tree, and to pages before 3k+1: these are at
most one level deeper than page k. So the depth of a page is its level in the tree, by any way to it. With
`planted`, links are written in all the ways that mean the same URL, and some pages have redirects, dead
links, links that must not be followed, and what only looks like a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.crawl.server import NOT_FOUND, Answer, Request, redirect

ARITY = 3
FILLER = "The quick brown fox jumps over the lazy dog. "
MASK = (1 << 32) - 1


class Truth(NamedTuple):
    """What a crawl must find at a URL."""

    status: int
    depth: int


class Dead(NamedTuple):
    """A dead link: the targets of the page that has it, and of the page that is missing."""

    page: str
    target: str


def level(number: int) -> int:
    """Return the depth of a page."""
    depth, last = 0, 0
    while number > last:
        depth += 1
        last = last * ARITY + ARITY
    return depth


def mixed(number: int) -> int:
    """Return a number that looks random: the finalizer of MurmurHash3."""
    number &= MASK
    number = (number ^ number >> 16) * 0x85EBCA6B & MASK
    number = (number ^ number >> 13) * 0xC2B2AE35 & MASK
    return number ^ number >> 16


class SyntheticSite:
    """The site; called with a request it returns the answer."""

    def __init__(
        self, pages: int, links: int = 20, seed: int = 1, size: int = 0, *, planted: bool = False
    ) -> None:
        """`size`: of each page in bytes; 0 for no filler."""
        self.pages = pages
        self._links = links
        self._seed = mixed(seed)
        self._size = size
        self._planted = planted
        self._filler = (FILLER * (size // len(FILLER) + 1)).encode()

    def __call__(self, request: Request) -> Answer:
        first, _, rest = request.target.removeprefix("/").partition("/")
        if request.target == "/":
            return self.answer(0)
        if (
            first == "p"
            and rest.endswith(".html")
            and rest[:-5].isdigit()
            and 0 < int(rest[:-5]) < self.pages
        ):
            return self.answer(int(rest[:-5]))
        if first == "moved" and rest.isdigit() and int(rest) < self.pages:
            return redirect(self.target(int(rest)))
        return NOT_FOUND

    def target(self, number: int) -> str:
        return f"/p/{number}.html" if number else "/"

    def answer(self, number: int) -> Answer:
        return Answer(self.body(number))

    def linked(self, number: int) -> list[int]:
        """Return the pages to which this one links, some of them more than once."""
        first = number * ARITY + 1
        children = list(range(first, min(first + ARITY, self.pages)))
        before = min(first, self.pages)
        others = (mixed(number * 31 + place + self._seed) % before for place in range(self._links))
        return [*children, *others][: max(self._links, len(children))]

    def _has(self, kind: int, number: int) -> bool:
        """Whether a page has something planted: one in seven has."""
        return self._planted and mixed(number * 7 + kind * 1_000_003 + self._seed) % 7 == 0

    def moved(self, number: int) -> Iterator[int]:
        """The page that this one links to by way of a redirect, if it does."""
        if self._has(0, number):
            yield mixed(number + self._seed) % min(number * ARITY + 1, self.pages)

    def dead(self, number: int) -> Iterator[str]:
        """The missing pages to which this one links."""
        if self._has(1, number):
            yield f"/dead/{number // ARITY}"

    def body(self, number: int) -> bytes:
        parts = [f"<!doctype html><html><head><title>Page {number}</title></head><body>\n"]
        if self._planted:
            parts += [
                f"<!-- <a href='/decoy/comment/{number}'>x</a> -->",
                f"<script>'<a href=\"/decoy/script/{number}\">x</a>'</script>",
                f"<textarea><a href='/decoy/text/{number}'>x</a></textarea>",
                f"<template><a href='/decoy/template/{number}'>x</a></template>",
                f"<a rel='external nofollow' href='/decoy/nofollow/{number}'>x</a>",
                f"<link rel=preconnect href='/decoy/preconnect/{number}'>",
                f"<a href='mailto:{number}@example.org'>x</a><a href='javascript:f({number})'>x</a>\n",
            ]
        for place, linked in enumerate(self.linked(number)):
            parts.append(self._anchor(number, place, linked))
        parts += [f'<a href="/moved/{linked}">x</a>\n' for linked in self.moved(number)]
        parts += [f'<a href="{target}">x</a>\n' for target in self.dead(number)]
        body = "".join(parts).encode()
        end = b"</body></html>\n"
        filler = self._size - len(body) - len(end) - 7
        if filler > 0:
            body += b"<p>" + self._filler[:filler] + b"</p>"
        return body + end

    def _anchor(self, number: int, place: int, linked: int) -> str:
        target = self.target(linked)
        style = place % 6 if self._planted else 0
        if style == 1 and linked and number:
            return f"<A HREF='{linked}.html'>Page {linked}</A>\n"
        if style == 2:
            return f"<a class=x href={target}#part-{number}>Page {linked}</a>\n"
        if style == 3:
            return f'<a href=" {target}\n" title="a > b">Page {linked}</a>\n'
        if style == 4:
            return f'<a href="{target.replace("/", "&#x2F;")}">Page {linked}</a>\n'
        if style == 5:
            return f'<a\nhref="/x/../.{target}">Page {linked}</a>\n'
        return f'<a href="{target}">Page {linked}</a>\n'

    def truth(self, depth: int | None = None) -> dict[str, Truth]:
        """Return what a crawl must find at each target, down to this depth."""
        found: dict[str, Truth] = {}
        for number in range(self.pages):
            here = level(number)
            if depth is not None and here > depth:
                break
            found[self.target(number)] = Truth(200, here)
            if depth is not None and here == depth:
                continue
            for target, status in [
                *((f"/moved/{linked}", 302) for linked in self.moved(number)),
                *((target, 404) for target in self.dead(number)),
            ]:
                found.setdefault(target, Truth(status, here + 1))
        return found

    def dead_links(self) -> list[Dead]:
        """Return all dead links, with every page that has one."""
        return [
            Dead(self.target(number), target) for number in range(self.pages) for target in self.dead(number)
        ]
