"""The types of option values: how each is checked, and what a program may pass.

In: the checks of `validate.py`. Out: `ParamType` constants for the table in `options/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from fetchpool.config import (
    connection_options,
    cookie_file,
    crawl_options,
    proxy_options,
    request_values,
    units,
    validate,
)
from fetchpool.config.choices import FORMATS, SUMMARIES
from fetchpool.config.keep import VALUES as KEEP_VALUES
from fetchpool.config.keep import keep
from fetchpool.config.option import ParamType
from fetchpool.config.outputs import HASHES, save_directory, warc_archive
from fetchpool.config.parsers import parsers
from fetchpool.config.save_template import save_template
from fetchpool.config.web_options import web_address, web_name
from fetchpool.config.write_out import read_template
from fetchpool.model.failures import GROUPS, FailureKind
from fetchpool.model.shard import shard

MAX_LOGS = 1_000
HTTP_VERSIONS = ("1.1", "2", "3")
ANY_PATH = str | PathLike[str] | None


def one_of(choices: tuple[str, ...]) -> ParamType:
    """Return the type of an option that takes one of `choices` and has a default."""
    return ParamType(check=_is_among(choices), accepts=str, format=str, choices=choices)


def choice_of(choices: tuple[str, ...]) -> ParamType:
    """Return the type of a command-line option that takes one of `choices`."""
    return ParamType(check=_is_among(choices), accepts=str, choices=choices)


def several_of(choices: tuple[str, ...]) -> ParamType:
    """Return the type of a command-line option that takes a comma-separated list of `choices`."""
    return ParamType(check=_are_among(choices), accepts=str, choices=choices)


def _are_among(choices: tuple[str, ...]) -> Callable[[str, Any], tuple[str, ...]]:
    return lambda label, value: tuple(
        dict.fromkeys(validate.choice(label, name.strip(), choices) for name in value.split(","))
    )


def _is_among(choices: tuple[str, ...]) -> Callable[[str, Any], Any]:
    return lambda label, value: validate.choice(label, value, choices)


def _integer(low: int) -> Callable[[str, Any], int]:
    return lambda label, value: validate.integer(label, value, low)


def _limit(check: Callable[[str, Any], Any], accepts: Any, write: Callable[[Any], str]) -> ParamType:
    """Return the type of a limit. 0 and None mean no limit, which is None in the configuration."""
    return ParamType(
        check=lambda label, value: None if value is None else check(label, value) or None,
        accepts=accepts,
        format=lambda value: "0" if value is None else write(value),
        none_is_no_limit=True,
    )


def _cluster(label: str, value: Any) -> Any:
    from fetchpool.config.cluster_options import check_cluster  # loaded only with the option

    return check_cluster(label, value)


SWITCH = ParamType(accepts=bool)
PROGRESS = ParamType(accepts=bool | Callable[[Any], object])
TEXT = ParamType(accepts=str | None)
CLUSTER = ParamType(check=_cluster, accepts=Any, checks_type=True)
WEB_LISTEN = ParamType(check=lambda _label, value: web_address(value), accepts=str)
WEB_HOST = ParamType(
    check=lambda _label, value: tuple(map(web_name, value)), accepts=Sequence[str], repeatable=True
)
TEXTS = ParamType(check=lambda _label, value: tuple(value), accepts=Sequence[str], repeatable=True)
COUNT = ParamType(check=_integer(1), accepts=int | str)
PROCESSES = ParamType(check=_integer(1), accepts=int | str | None)
INTEGER = ParamType(check=_integer(0), accepts=int | str, format=str)
SEED = ParamType(check=_integer(0), accepts=int | str | None)
INTEGER_LIMIT = _limit(_integer(0), int | str | None, str)
DURATION = ParamType(check=validate.duration, accepts=float | str, format=units.format_duration)
DURATION_LIMIT = _limit(validate.duration, float | str | None, units.format_duration)
TIMEOUT = ParamType(check=validate.timeout, accepts=float | str, format=units.format_duration)
SIZE = ParamType(check=validate.size, accepts=int | str, format=units.format_size)
SIZE_LIMIT = _limit(validate.size, int | str | None, units.format_size)
RATE_LIMIT = _limit(validate.rate, float | str | None, "{:g}/s".format)

# Its default depends on --recursive.
PER_HOST = ParamType(check=INTEGER_LIMIT.check, accepts=int | str | None, none_is_no_limit=True)
SCOPE = ParamType(check=_is_among(crawl_options.SCOPES), accepts=str | None, choices=crawl_options.SCOPES)
PATTERNS = ParamType(check=crawl_options.patterns, accepts=str | Sequence[str], repeatable=True)
TAGS = ParamType(check=crawl_options.tags, accepts=str | Sequence[str] | None)
DEPTH = ParamType(check=_integer(0), accepts=int | str | None)
LINKS = ParamType(check=crawl_options.links_file, accepts=ANY_PATH)
FRONTIER = ParamType(check=crawl_options.frontier_file, accepts=ANY_PATH)

# Checked by `configure()`, since the valid values depend on other options.
WORKERS = ParamType(accepts=int | str, format=str)
MAX_WORKERS = ParamType(accepts=int | str | None)

FIRST = ParamType(check=_integer(1), accepts=int | str | None)
SHARD = ParamType(check=shard, accepts=str | None)
DELIMITER = ParamType(check=lambda _label, value: validate.delimiter(value), accepts=str | None)
ENCODING = ParamType(check=lambda _label, value: validate.encoding(value), accepts=str | None)
PLACES = ParamType(
    check=lambda label, value: validate.places(label, value),
    accepts=str | Sequence[str],
    repeatable=True,
)
COLUMN = ParamType(check=lambda _label, value: validate.column_name(value), accepts=str | None)
OLD_OUTPUT = ParamType(check=lambda _label, value: validate.old_output(value), accepts=ANY_PATH)
SAVE = ParamType(check=lambda _label, value: save_directory(value), accepts=ANY_PATH)
SAVE_AS = ParamType(check=save_template, accepts=str | None)
WARC = ParamType(check=lambda _label, value: warc_archive(value), accepts=ANY_PATH)
CACERT = ParamType(check=lambda _label, value: validate.cacert(value), accepts=ANY_PATH)
LOG_FILE = ParamType(check=lambda label, value: validate.log_file(label, value), accepts=ANY_PATH)
LOG_SIZE = ParamType(check=validate.size, accepts=int | str)
LOG_KEEP = ParamType(
    check=lambda label, value: validate.integer(label, value, 0, MAX_LOGS), accepts=int | str
)
SUMMARY = ParamType(check=_is_among(SUMMARIES), accepts=str | None, choices=SUMMARIES)
FORMAT = ParamType(check=_is_among(FORMATS), accepts=str | None, choices=FORMATS)
HASH = ParamType(
    check=lambda label, value: validate.choice(label, value, HASHES) in HASHES,
    accepts=str | None,
    choices=HASHES,
)
PARSERS = ParamType(
    check=parsers,
    accepts=str | Callable[[Any], object] | Sequence[str | Callable[[Any], object]],
    checks_type=True,
    repeatable=True,
)
KEEP = ParamType(
    check=keep, accepts=str | Sequence[str], checks_type=True, choices=KEEP_VALUES, repeatable=True
)
FIELDS = ParamType(
    check=lambda label, value: validate.field_names(label, value),
    accepts=str | Sequence[str],
    checks_type=True,
    repeatable=True,
)
WRITE_OUT = ParamType(check=read_template, accepts=str | None)
PARSE_TIMEOUT = ParamType(
    check=lambda label, value: validate.duration(label, value) or None, accepts=float | str | None
)
ERRORS = ParamType(
    check=lambda label, value: validate.error_names(label, value) if value else frozenset(),
    accepts=str | Sequence[str] | None,
    choices=(*GROUPS, *FailureKind),
    repeatable=True,
)
METHOD = ParamType(check=lambda _label, value: validate.method(value), accepts=str)
HEADERS = ParamType(
    check=lambda _label, value: request_values.headers(value),
    accepts=validate.Headers,
    checks_type=True,
    repeatable=True,
)
DATA = ParamType(
    check=request_values.data,
    accepts=request_values.Body | None,
    checks_type=True,
    repeatable=True,
    is_body=True,
)
JSON = ParamType(
    check=request_values.json_body,
    accepts=request_values.Json | None,
    checks_type=True,
    repeatable=True,
    is_body=True,
)
COOKIE = ParamType(
    check=lambda label, value: cookie_file.cookie_option(label, value),
    accepts=cookie_file.CookieOption,
    checks_type=True,
    repeatable=True,
)
COOKIE_JAR = ParamType(check=cookie_file.jar_path, accepts=ANY_PATH)
FILE = ParamType(check=validate.file, accepts=ANY_PATH)
CERTIFICATE = ParamType(check=connection_options.certificate, accepts=ANY_PATH)
TLS_MAX = ParamType(
    check=_is_among(connection_options.TLS_VERSIONS),
    accepts=str | None,
    choices=connection_options.TLS_VERSIONS,
)
INTERFACE = ParamType(check=connection_options.interface, accepts=str | None)
NOPROXY = ParamType(check=proxy_options.noproxy, accepts=str | None)
REFERER = ParamType(check=request_values.referer, accepts=str | None)
RANGE = ParamType(check=request_values.byte_range, accepts=str | None)
STATUSES = ParamType(
    check=lambda label, value: request_values.statuses(label, value) if value else (),
    accepts=int | str | Sequence[int | str] | None,
    checks_type=True,
    repeatable=True,
)
HEADER_VALUE = ParamType(check=validate.header_value, accepts=str, format=str)
USER = ParamType(check=lambda _label, value: validate.user(value), accepts=str | None)
RESOLVE = ParamType(
    check=lambda _label, value: validate.resolve(value), accepts=Sequence[str], repeatable=True
)
HTTP_VERSION = ParamType(
    check=lambda label, value: validate.choice(label, value, HTTP_VERSIONS) if value else "",
    accepts=str,
    choices=HTTP_VERSIONS,
)
