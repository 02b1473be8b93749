"""Raw options in, one checked and frozen configuration out.

In: options as a person typed them or a program passed them: `"2m"` or `120`, `"Name: value"` or a
pair. Out: a `RunConfig` that needs no more checks, or a `UsageError` of one line that names the option
and what would do. The command line and the library come through this one door, so they take and
refuse the same.

It opens no connection and no output, and imports no transport until `configure()` is called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from fetchpool.config import machine, units, validate
from fetchpool.config.choices import DEFAULT_MEMORY, EXECUTORS, TRANSPORTS
from fetchpool.config.dependencies import resolve_transport, usable_dns_servers, usable_proxy
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.machine import usable_cores
from fetchpool.config.outputs import (
    HASHES,
    Output,
    extra_fields,
    is_among,
    parse_outputs,
    refuse_same_file,
    save_folder,
    text_output_warnings,
    warc_archive,
)
from fetchpool.model.addresses import address_is_public
from fetchpool.model.errors import UsageError

HTTP_VERSIONS = ("1.1", "2")

MAX_WORKERS = 10_000
AUTO = "auto"
AUTO_CEILING = 1_000
"""Fetches at once that `-w auto` doesn't go beyond unless told."""
MAX_PROCESSES = 1_000
"""Beyond these a slip of the keyboard is likelier than a plan, and most systems refuse the rest."""
_DEFAULTS = FetchOptions()


class RunConfig(Struct, frozen=True, kw_only=True):
    """A run, settled. Times are seconds, sizes bytes."""

    fetch: FetchOptions = _DEFAULTS
    inputs: tuple[str, ...] = ()
    """Paths, `-` for standard input; empty when a program hands the URLs over itself."""
    outputs: tuple[Output, ...] = ()
    workers: int = 10
    auto_workers: bool = False
    """`-w auto`: `workers` is the ceiling, and how many there are is found out; processes are so many."""
    fd_limited: bool = False
    """There are fewer workers than were wanted: the system allows no more open files."""
    executor: str = "thread"
    retry: int = 2
    """Extra attempts."""
    retry_delay: float = 1.0
    """The first backoff is a random time up to this; each further one up to twice the one before."""
    retry_max_time: float | None = None
    """No attempt of a URL starts later than this after its first one; None is no limit."""
    per_host: int = 10
    """Fetches at once from one host; 0 is no limit."""
    host_delay: float = 0.0
    """Between two starts at one host."""
    rate: float = 0.0
    """Starts per second over all hosts; 0 is no limit."""
    retry_after_max: float = 300.0
    """A server's `Retry-After` beyond it is taken for this much."""
    robots: bool = False
    """`robots.txt` is asked and obeyed."""
    max_runtime: float | None = None
    """The run is stopped then, as by a first Ctrl-C; None is no limit."""
    dedupe: bool = True
    """A URL that the input has several times is fetched once."""
    resume: bool = False
    """What the outputs hold is read back, and not fetched again."""
    retry_failed: frozenset[str] = frozenset()
    """But for rows with these errors; it is resumed then."""
    seen_memory: int = DEFAULT_MEMORY
    """For knowing which URLs there were; beyond it they are on disk."""
    url_column: str | None = None
    """Inputs have columns, and this one holds the URL; None: every line is one."""
    keep_columns: bool = False
    """The others are passed through to the rows."""
    refresh: str = ""
    """An earlier result: what it holds is fetched only if it has changed; empty: there is none."""
    refresh_in_place: bool = False
    """It is an output too, where nothing tells an interrupted run's rows from those before it."""
    warc: str = ""
    """The archive that all that is sent and received goes to; empty: there is none."""
    warc_max_size: int = 1 << 30
    """An archive's file that has as many bytes gets no more."""
    extra_fields: tuple[str, ...] = ()
    """What features add to the rows, in order."""
    notices: tuple[str, ...] = ()
    """What the person should know before the run, one line each."""


_RUN = RunConfig()


def configure(
    inputs: Sequence[str] = (),
    *,
    outputs: Sequence[str] = (),
    format: str | None = None,
    workers: int | str = _RUN.workers,
    max_workers: int | str | None = None,
    executor: str = _RUN.executor,
    per_host: int | str = _RUN.per_host,
    host_delay: float | str = _RUN.host_delay,
    rate: float | str = _RUN.rate,
    retry_after_max: float | str = _RUN.retry_after_max,
    robots: bool = _RUN.robots,
    max_runtime: float | str | None = _RUN.max_runtime,
    retry: int | str = _RUN.retry,
    retry_delay: float | str = _RUN.retry_delay,
    retry_max_time: float | str | None = _RUN.retry_max_time,
    transport: str = _DEFAULTS.transport,
    method: str = _DEFAULTS.method,
    headers: validate.Headers = (),
    user_agent: str = _DEFAULTS.user_agent,
    user: str | None = None,
    proxy: str | None = None,
    cacert: str | None = None,
    insecure: bool = False,
    http_version: str = _DEFAULTS.http_version,
    connect_timeout: float | str = _DEFAULTS.connect_timeout,
    read_timeout: float | str = _DEFAULTS.read_timeout,
    max_time: float | str = _DEFAULTS.max_time,
    max_filesize: int | str = _DEFAULTS.max_filesize,
    max_redirs: int | str = _DEFAULTS.max_redirs,
    public_only: bool = _DEFAULTS.public_only,
    allow_private: bool = _DEFAULTS.allow_private,
    resolve: Sequence[str] = (),
    dns_servers: str | None = None,
    parse: str | Sequence[str] = (),
    parse_timeout: float | str | None = None,
    dedupe: bool = True,
    resume: bool = False,
    retry_failed: str | Sequence[str] | None = None,
    seen_memory: int | str = _RUN.seen_memory,
    hash: str | None = None,
    save: str | None = None,
    url_column: str | None = None,
    keep_columns: bool = False,
    refresh: str | None = None,
    warc: str | None = None,
    warc_max_size: int | str = _RUN.warc_max_size,
) -> RunConfig:
    """The checked configuration of a run.

    Times are seconds, or text with a unit (`"500ms"`, `"2m"`); sizes bytes, or text (`"10M"`, binary
    multiples). Names and meanings are curl's. `max_filesize`, `retry_max_time`,
    `rate`, `max_runtime` and `parse_timeout` of 0 are no limit.

    Raises `UsageError` at the first option that can't be meant.
    """
    executor = validate.choice("--executor", executor, EXECUTORS)
    transport = validate.choice("--transport", transport, TRANSPORTS)
    if http_version:
        http_version = validate.choice("--http", http_version, HTTP_VERSIONS)
    if public_only and allow_private:
        raise UsageError("--public-only and --allow-private contradict each other; leave one out")
    transport, notices = resolve_transport(transport, http_version, executor)
    checked_outputs = parse_outputs(outputs, format)
    adding = {"--parse": parse, "--save": save, "--hash": hash, "--keep-columns": keep_columns}
    notices = (
        *notices,
        *text_output_warnings(checked_outputs, [name for name, wanted in adding.items() if wanted]),
    )
    fetch = FetchOptions(
        transport=transport,
        method=validate.method(method),
        headers=validate.headers(headers),
        user_agent=validate.header_value("--user-agent", user_agent),
        user=None if user is None else validate.user(user),
        proxy=None if proxy is None else usable_proxy(proxy, transport),
        cacert=None if cacert is None else validate.cacert(cacert),
        insecure=insecure,
        http_version=http_version,
        connect_timeout=validate.deadline("--connect-timeout", connect_timeout),
        read_timeout=validate.deadline("--read-timeout", read_timeout),
        max_time=validate.deadline("--max-time", max_time),
        max_filesize=validate.size("--max-filesize", max_filesize) or units.MAX_BYTES,
        max_redirs=validate.whole("--max-redirs", max_redirs, 0),
        public_only=public_only,
        allow_private=allow_private,
        resolve=_resolved(resolve, public_only),
        dns_servers=usable_dns_servers(dns_servers, transport),
        parse=validate.names("--parse", parse, "title or package.module:function"),
        parse_timeout=_parse_timeout(parse_timeout, max_time),
        # Rows that say which version they are of can be refreshed later; text has no place for that.
        validators=refresh is not None or any(each.format != "text" for each in checked_outputs),
        hash=refresh is not None or (hash is not None and validate.choice("--hash", hash, HASHES) in HASHES),
        save=save_folder(save),
    )
    fitting, shortage = machine.fit(_workers(workers, max_workers, executor), executor)
    if shortage and workers != AUTO:
        notices = (*notices, shortage)
    if list(inputs).count("-") > 1:
        raise UsageError("INPUT: standard input (-) is named twice; it can be read once")
    refuse_same_file(inputs, outputs if warc is None else [*outputs, warc])
    again = validate.failures("--retry-failed", retry_failed) if retry_failed else frozenset()
    resume = resume or bool(again)
    if resume and "-" in outputs:
        raise UsageError("--resume: standard output can't be read back; name a file with -o")
    old = _refresh(refresh)
    in_place = bool(old) and is_among(old, outputs)
    if resume and in_place and not again:
        raise UsageError(f"--resume would skip all that --refresh {old} asks for again; leave it out")
    if resume and not dedupe:
        raise UsageError("--resume goes by URLs and --no-dedupe by lines; leave one out")
    return RunConfig(
        fetch=fetch,
        inputs=tuple(inputs),
        outputs=checked_outputs,
        workers=fitting,
        auto_workers=workers == AUTO,
        fd_limited=bool(shortage),
        executor=executor,
        retry=validate.whole("--retry", retry, 0),
        retry_delay=validate.duration("--retry-delay", retry_delay),
        retry_max_time=validate.duration("--retry-max-time", 0 if retry_max_time is None else retry_max_time)
        or None,
        per_host=validate.whole("--per-host", per_host, 0),
        host_delay=validate.duration("--host-delay", host_delay),
        rate=validate.rate("--rate", rate),
        retry_after_max=validate.duration("--retry-after-max", retry_after_max),
        robots=robots,
        max_runtime=validate.duration("--max-runtime", 0 if max_runtime is None else max_runtime) or None,
        dedupe=dedupe,
        resume=resume,
        retry_failed=again,
        seen_memory=validate.size("--seen-memory", seen_memory),
        url_column=_url_column(url_column, inputs, keep_columns),
        keep_columns=keep_columns,
        refresh=old,
        refresh_in_place=in_place,
        warc=warc_archive(warc),
        warc_max_size=validate.size("--warc-max-size", warc_max_size) or units.MAX_BYTES,
        extra_fields=extra_fields(fetch, refresh is not None),
        notices=notices,
    )


def _parse_timeout(given: float | str | None, max_time: float | str) -> float:
    """Who wants a fetch to be over early does not want to wait longer for its parser."""
    if given is None:
        return min(_DEFAULTS.parse_timeout, validate.deadline("--max-time", max_time))
    return validate.duration("--parse-timeout", given) or math.inf


def _url_column(name: str | None, inputs: Sequence[str], keep_columns: bool) -> str | None:
    if name is None:
        if keep_columns:
            raise UsageError("--keep-columns: say with --url-column which column holds the URL")
        for path in inputs:
            if path.lower().endswith(".parquet"):
                raise UsageError(f"INPUT: {path}: say with --url-column which column holds the URL")
    elif not name:
        raise UsageError("--url-column: an empty name; write a column's name")
    return name


def _refresh(path: str | None) -> str:
    if path is None:
        return ""
    if not path or path == "-":
        raise UsageError("--refresh: name an output of an earlier run; it has to be a file or folder")
    if not Path(path).exists():
        raise UsageError(f"--refresh: {path}: no such file; check its name")
    return path


def _resolved(lines: Sequence[str], public_only: bool) -> tuple[tuple[str, tuple[str, ...]], ...]:
    resolved = validate.resolve(lines)
    for where, addresses in resolved:
        for address in addresses:
            if public_only and not address_is_public(address.strip("[]")):
                raise UsageError(f"--resolve: {where}:{address} is not public, and --public-only is given")
    return resolved


def _workers(workers: int | str, max_workers: int | str | None, executor: str) -> int:
    """How many there are, or, when that is to be found out, may be."""
    most = MAX_PROCESSES if executor == "process" else MAX_WORKERS
    if workers != AUTO:
        if max_workers is not None:
            raise UsageError("--max-workers: it is the ceiling of -w auto; leave it out, or write -w auto")
        if isinstance(workers, str) and not workers.isdecimal():
            raise UsageError(
                f"--workers: {workers!r} is no whole number from 1 to {most}; write one, or auto"
            )
        return validate.whole("--workers", workers, 1, most)
    if executor == "process":  # one for each core is what it comes to
        return min(usable_cores(), validate.whole("--max-workers", max_workers or most, 1, most))
    return validate.whole("--max-workers", max_workers or AUTO_CEILING, 1, most)
