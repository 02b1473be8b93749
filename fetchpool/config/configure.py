"""configure(): turns raw options into one checked and frozen configuration.

In: options as a user typed them or a program passed them: `"2m"` or `120`, `"Name: value"` or a pair. Out: a
`RunConfig` that needs no more checks, or a `UsageError` of one line that names the option. The command line
and the library both use `configure()`, so they accept the same values.

`options/` declares each option with its check; the rules here concern several options together. Importing
this module loads no transport, and `configure()` opens no connection and no output.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from fetchpool.config import machine, steering, validate
from fetchpool.config.connection_options import connection_fields
from fetchpool.config.crawl_options import PER_HOST, check_crawl, crawl_rules
from fetchpool.config.dependencies import resolve_transport, usable_dns_servers, usable_proxy
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.keep import HEADER, MAX_BODY
from fetchpool.config.machine import usable_cores
from fetchpool.config.options.table import DEFAULTS, OPTIONS
from fetchpool.config.outputs import (
    Output,
    check_row_names,
    extra_fields,
    is_among,
    parse_outputs,
    refuse_same_file,
    text_output_warnings,
)
from fetchpool.config.parsers import importable
from fetchpool.config.proxy_options import proxy_fields
from fetchpool.config.request_values import request_body, request_headers
from fetchpool.config.run_config import RunConfig
from fetchpool.config.steering import MAX_CLUSTER_WORKERS, MAX_WORKERS
from fetchpool.config.write_out import JSON, Variable, headers_of
from fetchpool.config.write_out import parse as parse_template
from fetchpool.model.addresses import address_is_public
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import AUTO
from fetchpool.model.text import escape_invisible

if TYPE_CHECKING:  # `Unpack` and the names of all options are for type checkers
    from typing import Unpack

    from fetchpool.config.settings import AllSettings

READS_PER_SECOND = 20
"""Number of reads into which a second's bytes are divided with --limit-rate."""
SMALLEST_BUFFER = 1024
"""The size of libcurl's smallest buffer, in bytes."""
AUTO_CEILING = 1_000
"""Upper limit of `-w auto` without --max-workers."""


def configure(inputs: Sequence[str] = (), **given: Unpack[AllSettings]) -> RunConfig:
    """Return the checked configuration of a run. `given` has options by their names in `options/`.

    Times are seconds, or text with a unit (`"500ms"`, `"2m"`); sizes bytes, or text (`"10M"`, binary
    multiples). For a limit, 0 and None are no limit.

    Raises `UsageError` at the first invalid option.
    """
    values = _checked(given)
    _refuse_contradictions(inputs, values)
    check_crawl(values, OPTIONS)
    paths = values["outputs"]
    outputs = parse_outputs(paths, values["format"])
    _refuse_formats(outputs, values)
    transport, notices = resolve_transport(values["transport"], values["http_version"], values["executor"])
    adding = [name for name in ("parse", "save", "hash", "keep", "keep_columns") if values[name]]
    notices = (*notices, *text_output_warnings(outputs, [OPTIONS[name].label for name in adding]))
    proxy, proxy_notices = proxy_fields(values, os.environ, partial(usable_proxy, transport=transport))
    notices = (*notices, *proxy_notices)
    refreshes = bool(values["refresh"])
    target = None
    if values["executor"] == "cluster":
        from fetchpool.config.cluster_options import PER_WORKER, cluster_target, refuse_secrets

        target = cluster_target(values, os.environ)
        if transport != "curl":
            raise UsageError("--executor cluster requires pycurl, as its workers do")
    elif values["cluster"] is not None:
        raise UsageError("--cluster only applies to --executor cluster")
    if values["executor"] in ("process", "cluster"):
        values["parse"] = tuple(map(importable, values["parse"]))
    values["method"], values["body"] = request_body(values, given.get("method"))
    template = parse_template("--write-out", values["write_out"]) if values["write_out"] else ()
    shown = {piece.name for piece in template if isinstance(piece, Variable) and not piece.is_header}
    if headers := headers_of(template):
        values["keep"] = tuple(dict.fromkeys((*values["keep"], *(f"{HEADER}{name}" for name in headers))))
    values |= {
        "transport": transport,
        "headers": request_headers(values),
        "cookies": () if values["cookie"] is None else values["cookie"][1],
        **_credentials(values),
        **connection_fields(values),
        **_buffer(values["limit_rate"]),
        "interface": values["interface"] or "",
        **proxy,
        "dns_servers": usable_dns_servers(values["dns_servers"] or None, transport),
        "max_filesize": _max_filesize(values),
        "parse_timeout": _parse_timeout(given.get("parse_timeout"), values),
        # Rows with validators can be refreshed later; text rows have no field for them.
        "validators": refreshes
        or any(each.format != "text" for each in outputs)
        or bool(shown & {"etag", "last_modified"}),
        "hash": refreshes or values["hash"],
        "crawl": crawl_rules(values),
        "no_follow": values["no_follow"] or values["recursive"],
    }
    if values["recursive"]:
        values["robots"] = not values["no_robots"]
        values["robots_sitemaps"] = not values["no_sitemap"]
        if "per_host" not in given:
            values["per_host"] = PER_HOST
    by_cluster = target is not None and given.get("workers") is None
    if target is not None and by_cluster:
        values["workers"] = PER_WORKER * max(1, target.local)
    wanted = _workers(values["workers"], values["max_workers"], values["executor"])
    processes, fewer = _processes(values["processes"], wanted, values["executor"])
    if target is None:
        capacity = machine.workers_within_limit(wanted, values["executor"], transport, processes or 1)
    else:
        capacity = machine.Capacity(wanted, False, "")  # each station limits its own
    values["few_descriptors"] = capacity.is_short
    fetch = FetchOptions(**_fields(FetchOptions, values))
    if target is not None:
        notices = (*notices, *refuse_secrets(target, fetch))
    added = extra_fields(fetch, refreshes)
    check_row_names("--fields", values["fields"], fetch, added, values["keep_columns"])
    check_row_names("--write-out", sorted(shown - {JSON}), fetch, added, values["keep_columns"])
    is_auto = values["workers"] == AUTO
    notices = (*notices, *fewer)
    if capacity.notice and not is_auto:
        notices = (*notices, capacity.notice)
    refuse_same_file(
        inputs, [*paths, *(values[name] for name in ("warc", "links", "frontier") if values[name])]
    )
    if values["frontier"] and is_among(values["frontier"], paths):
        raise UsageError("--frontier: this file is also an output of rows; choose another name")
    values |= {
        "fetch": fetch,
        "inputs": tuple(inputs),
        "outputs": outputs,
        "workers": capacity.workers,
        "max_workers": None if values["max_workers"] is None else int(values["max_workers"]),
        "processes": processes,
        "cluster": target,
        "workers_by_cluster": by_cluster,
        "auto_workers": is_auto,
        "fd_limited": bool(capacity.notice),
        "resume": values["resume"] or bool(values["retry_failed"]),
        "refresh_in_place": refreshes and is_among(values["refresh"], paths),
        "extra_fields": added,
        "notices": notices,
    }
    return RunConfig(**_fields(RunConfig, values))


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every option: the given value, checked, or the default."""
    values: dict[str, Any] = {**dict.fromkeys(OPTIONS), "outputs": (), **DEFAULTS}
    for name, value in given.items():
        option = OPTIONS[name]
        if value is not None or option.type.none_is_no_limit:
            values[name] = option.type.check(option.label, value)
    return values


def _fields(struct: type, values: Mapping[str, Any]) -> dict[str, Any]:
    names: Iterable[str] = struct.__struct_fields__  # type: ignore[attr-defined]
    return {name: values[name] for name in names if name in values}


def _refuse_contradictions(inputs: Sequence[str], values: Mapping[str, Any]) -> None:
    """Raise `UsageError` for options that can't be combined."""
    paths, refresh = values["outputs"], values["refresh"]
    resume = _continuing(values)
    if values["public_only"] and values["allow_private"]:
        raise UsageError("--public-only and --allow-private are mutually exclusive")
    if values["links"] and is_among(values["links"], paths):
        raise UsageError(
            f"--links: {escape_invisible(values['links'])} is also an output; choose another name"
        )
    if values["save_as"] and not values["save"]:
        raise UsageError("--save-as needs --save DIR, the directory of the files")
    if [*inputs, *values["sitemap"]].count("-") > 1:
        raise UsageError("INPUT: standard input (-) is given twice")
    if resume and "-" in paths:
        raise UsageError(f"{resume}: standard output cannot be read back; write to a file with -o")
    if resume and refresh and not values["retry_failed"] and is_among(refresh, paths):
        raise UsageError("--resume cannot be combined with --refresh into the same file")
    if resume and values["overwrite"]:
        raise UsageError(f"--overwrite and {resume} are mutually exclusive: {resume} continues the output")
    if values["overwrite"] and refresh and is_among(refresh, paths):
        raise UsageError("--overwrite cannot be combined with --refresh into the same file")
    if resume and not values["dedupe"]:
        raise UsageError(f"{resume} cannot be combined with --no-dedupe")
    if values["url_column"] is None:
        _refuse_columns(inputs, values)
    if values["public_only"]:
        _refuse_private(values["resolve"])


def _continuing(values: Mapping[str, Any]) -> str:
    """Return the option by which the run continues its outputs; empty if it doesn't."""
    if values["resume"]:
        return "--resume"
    return "--retry-failed" if values["retry_failed"] else ""


def _refuse_formats(outputs: Sequence[Output], values: Mapping[str, Any]) -> None:
    """Raise `UsageError` for options that outputs of these formats don't support."""
    resume = _continuing(values)
    if values["write_out"]:
        for output in outputs:
            if output.format != "text":
                name = escape_invisible(output.path)
                raise UsageError(
                    f"--write-out is for text outputs, and {name} is {output.format}; use --fields for its "
                    "columns"
                )
        if resume:
            raise UsageError(
                f"{resume} cannot read back the rows of --write-out; leave out {resume} or --write-out, or "
                "choose columns with --fields and -o rows.csv"
            )
        if values["fields"]:
            raise UsageError("--fields and --write-out are mutually exclusive")
    if values["fields"]:
        if outputs and all(output.format == "text" for output in outputs):
            raise UsageError("--fields: text output has no fields; use -o rows.csv, or -W for text")
        if resume and (missing := [name for name in ("url", "error") if name not in values["fields"]]):
            raise UsageError(f"{resume} needs the fields url and error: add {', '.join(missing)} to --fields")


def _refuse_columns(inputs: Sequence[str], values: Mapping[str, Any]) -> None:
    for name in ("keep_columns", "delimiter"):
        if values[name]:
            raise UsageError(f"{OPTIONS[name].label} requires --url-column")
    for path in inputs:
        if path.lower().endswith(".parquet") and "://" not in path:
            raise UsageError(f"INPUT: {path}: a Parquet file requires --url-column")


def _refuse_private(resolved: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    for where, addresses in resolved:
        for address in addresses:
            if not address_is_public(address.strip("[]")):
                raise UsageError(
                    f"--resolve: {where}:{address} is not a public address, which --public-only requires"
                )


def _buffer(limit_rate: int | None) -> dict[str, int]:
    """Return the size of the buffer, which is small under a low limit, since each read waits until it may
    continue."""
    if limit_rate is None:
        return {}
    size = min(limit_rate // READS_PER_SECOND, FetchOptions().buffersize)
    return {"buffersize": max(SMALLEST_BUFFER, size)}


def _credentials(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `user` and `netrc`: a name without a password needs a .netrc file."""
    user, path = values["user"], values["netrc_file"]
    if not (values["netrc"] or path):
        if user is not None and ":" not in user:
            raise UsageError(validate.NO_PASSWORD)
        return {"netrc": ()}
    if user is not None and ":" in user:
        raise UsageError("--user with a password and --netrc are mutually exclusive; give only the name")
    from fetchpool.config.netrc_file import read_netrc

    return {"user": None, "netrc": read_netrc(path or "", user or "")}


def _max_filesize(values: Mapping[str, Any]) -> int | None:
    """Return the maximum size of a body; with `--keep body` no more than a row can hold."""
    limit = cast("int | None", values["max_filesize"])
    if "body" not in values["keep"] and "text" not in values["keep"]:
        return limit
    if limit != DEFAULTS["max_filesize"] and (limit is None or limit > MAX_BODY):
        raise UsageError(
            f"--max-filesize: with --keep body or text it is at most {MAX_BODY >> 20}M; for larger bodies "
            "use --save"
        )
    return MAX_BODY if limit is None else min(limit, MAX_BODY)


def _parse_timeout(given: float | str | None, values: Mapping[str, Any]) -> float | None:
    """Return the time limit of a parser; by default no more than that of its fetch."""
    if given is None:
        return float(min(DEFAULTS["parse_timeout"], values["max_time"]))
    return cast("float | None", values["parse_timeout"])


def _workers(workers: int | str, max_workers: int | str | None, executor: str) -> int:
    """Return the number of workers; for `auto`, its upper limit."""
    most = MAX_CLUSTER_WORKERS if executor == "cluster" else MAX_WORKERS
    if workers == AUTO:
        return validate.integer("--max-workers", max_workers or AUTO_CEILING, 1, most)
    number = cast("int", steering.workers(workers, most))
    if max_workers is not None and validate.integer("--max-workers", max_workers, 1, most) < number:
        raise UsageError(f"--max-workers: {max_workers} is less than --workers, which is {number}")
    return number


def _processes(wanted: int | None, workers: int, executor: str) -> tuple[int | None, tuple[str, ...]]:
    """Return the number of processes, and a notice if it is lower than wanted."""
    if executor != "process":
        if wanted is not None:
            raise UsageError("--processes only applies to --executor process")
        return None, ()
    number = min(workers, wanted or usable_cores())
    if wanted is None or wanted <= number:
        return number, ()
    are = "1 process" if number == 1 else f"{number} processes"
    return number, (f"{are} instead of {wanted}: each runs at least one fetch at once, and -w is {workers}",)
