"""Opens the parts of a fetch that only some runs need: parsers, links, added fields and stored bodies.

In: the run's `FetchOptions`. Out: the parts that its options ask for; their modules are loaded only then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.parsers import Parser
from fetchpool.http.body import ResponseBody
from fetchpool.model.request import FetchRequest
from fetchpool.transports.base import HopRequest, HopResult, Parsed

if TYPE_CHECKING:  # loaded when they are needed
    from fetchpool.http.kept import KeptFields
    from fetchpool.http.page_links import PageLinkFinder
    from fetchpool.http.stored_body import BodyStorage

Parse = Callable[[FetchRequest, HopRequest, ResponseBody, HopResult], Parsed]


class OptionalParts:
    """The parts of all fetches of a run; each is None without its option."""

    def __init__(self, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser can't be loaded."""
        self.parse, self.wants = _parser(options.parse)
        """The function that runs the parsers on a complete response; how many bytes of a body are needed."""
        self.kept = _kept(options.keep)
        if self.kept is not None:
            self.wants = max(self.wants, self.kept.wants)
        self.links = _link_finder(options)
        self.storage = _storage(options, self.wants)


def _parser(given: tuple[Parser, ...]) -> tuple[Parse | None, int]:
    """Return the function that runs the parsers on a complete response, None without parsers; and how many
    bytes of its content they need.

    Raises `UsageError` when a parser can't be loaded.
    """
    if not given:
        return None, 0
    # Loading the parsers' libraries takes time, so only a run with --parse does it.
    from fetchpool.http.parsers import run as parsers
    from fetchpool.http.response import response_of

    loaded = parsers.load(given)
    most = max(parser.wants for parser in loaded)
    return lambda *fetched: parsers.run(loaded, response_of(*fetched)), most


def _link_finder(options: FetchOptions) -> PageLinkFinder | None:
    """Return the finder of links; None without a crawl."""
    if options.crawl is None:
        return None
    from fetchpool.http.page_links import PageLinkFinder

    return PageLinkFinder(options.crawl)


def _kept(names: tuple[str, ...]) -> KeptFields | None:
    """Return the fields of `--keep`; None if rows have none of them."""
    if not names:
        return None
    from fetchpool.http.kept import KeptFields

    return KeptFields(names)


def _storage(options: FetchOptions, wants: int) -> BodyStorage | None:
    """Return the storage for bodies; None when they are only measured."""
    if not (options.hash or options.save or options.warc_spool):
        return None
    from fetchpool.http.stored_body import BodyStorage

    return BodyStorage(options, wants)
