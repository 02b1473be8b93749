"""Opens the source of a run: its inputs and sitemaps, or the URLs of an earlier output.

In: a `RunConfig`, or a program's source. Out: the source, with what the rest of the run needs to know about
it. Imports only the chosen modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.config.outputs import parser_fields
from fetchpool.config.run_config import RunConfig
from fetchpool.sources.base import Source
from fetchpool.sources.batch import LINE, Input
from fetchpool.sources.files import FileSource
from fetchpool.sources.limited import LimitedSource
from fetchpool.sources.table_rows import TableOptions

if TYPE_CHECKING:  # loaded only if needed
    from fetchpool.history.refresh import PreviousRun


class OpenedSource(Struct, frozen=True):
    """The source of a run."""

    source: Source
    columns: tuple[str, ...] = ()
    """The names of the input columns that rows will have, as far as they are known now."""
    old: PreviousRun | None = None
    """The earlier output of `--refresh`."""


def open_source(
    config: RunConfig, source: Source | None = None, old: PreviousRun | None = None
) -> OpenedSource:
    """Open the source that the configuration names. `source`: a program's URLs, instead of inputs; `old`: the
    earlier output, if the caller has opened it. Raises `UsageError`."""
    columns: tuple[str, ...] = ()
    if source is None and (config.inputs or config.sitemap or not (config.refresh or config.retry_failed)):
        source = inputs = _open_inputs(config)
        columns = inputs.columns if config.keep_columns else ()
    elif source is not None and config.sitemap:
        from fetchpool.sources.chained import ChainedSource

        source = ChainedSource([source, _open_inputs(config)])
    try:
        if config.refresh:
            from fetchpool.history.refresh import PreviousRun, RefreshSource

            old = old or PreviousRun(config.refresh)
            source = RefreshSource(old, source)
        elif source is None:
            from fetchpool.history.failed_urls import FailedUrls

            source = FailedUrls(config.outputs, config.retry_failed)
        if config.limit is not None:
            source = LimitedSource(source, config.limit)
    except BaseException:
        if source is not None:
            source.close()
        raise
    return OpenedSource(source, columns, old)


def _open_inputs(config: RunConfig) -> FileSource:
    """Open the inputs and sitemaps. Raises `InputError`."""
    with_line = LINE in config.fetch.keep
    table = None
    if config.url_column is not None:
        table = TableOptions(
            config.url_column,
            config.keep_columns,
            parser_fields(config.fetch.parse, config.fetch.keep),
            config.delimiter,
            guess_encoding=not config.encoding,
        )
    sitemaps: list[Input] = []
    if config.sitemap:
        from fetchpool.engine.sitemaps import PoolSitemapFetcher
        from fetchpool.sources.sitemap import SitemapInput

        sitemaps = [
            SitemapInput(place, PoolSitemapFetcher(config), with_line=with_line) for place in config.sitemap
        ]
    return FileSource(config.inputs, table, encoding=config.encoding, with_line=with_line, more=sitemaps)
