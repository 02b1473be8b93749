"""Link: a link of a page, as a row of the output of `--links`.

In: nothing. Out: frozen, slotted values. Imports nothing of the project; no I/O, no policy.
"""

from __future__ import annotations

from msgspec import Struct


class Link(Struct, frozen=True, gc=False, rename={"from_": "from"}):
    """A link: where it is, where it leads, and whether it was followed."""

    from_: str
    """The URL of the page."""
    to: str
    """The URL that it leads to, normalised, without the fragment; as written if it is invalid."""
    tag: str
    attribute: str
    fragment: str | None
    """What follows the `#`, as written; None without one."""
    nofollow: bool
    """Whether the link or its page says nofollow."""
    followed: bool
    """Whether its target is fetched, or has been."""
    reason: str | None
    """Why it is not followed; None if it is."""


class PageIds(Struct, frozen=True, gc=False):
    """The ids of a page: what fragments of links to it can lead to."""

    url: str
    ids: bytes
    """The hashes of the ids, one after the other."""


LINK_COLUMNS: tuple[str, ...] = ("from", *Link.__struct_fields__[1:])
"""The columns of an output of links, in order."""
