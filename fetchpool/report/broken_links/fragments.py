"""Checks whether a page has the element that the fragment of a link names.

In: a fragment as written, and the hashes of a page's element IDs. Out: whether the page has the element.
Pure.
"""

from __future__ import annotations

from urllib.parse import unquote

from fetchpool.crawl.page_links import FRAGMENT_SIZE, fragment_hash

DIRECTIVE = ":~:"
"""Starts a directive for the browser, such as a text to show (wicg.github.io/scroll-to-text-fragment)."""
TOP = "top"


def is_element(fragment: str) -> bool:
    """Whether a fragment names an element: an empty one and `top` are the top of every page (HTML Standard,
    section 7.4.6.4)."""
    fragment = fragment.partition(DIRECTIVE)[0]
    return bool(fragment) and fragment.lower() != TOP


def has_element(ids: frozenset[bytes], fragment: str) -> bool:
    """Whether a page with these IDs has the element of a fragment, which is compared as written, then
    percent-decoded."""
    fragment = fragment.partition(DIRECTIVE)[0]
    return fragment_hash(fragment) in ids or ("%" in fragment and fragment_hash(unquote(fragment)) in ids)


def split_hashes(hashes: bytes) -> frozenset[bytes]:
    """Return the hashes of a page's ids."""
    return frozenset(hashes[at : at + FRAGMENT_SIZE] for at in range(0, len(hashes), FRAGMENT_SIZE))
