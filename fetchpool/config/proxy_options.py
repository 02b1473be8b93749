"""Decides which proxy a URL is fetched through: `--proxy`, `--proxy env` and `--noproxy`.

In: the options, and the environment's variables. Out: the proxy for each scheme and the hosts that are
reached without one, or a notice that the environment's proxies are not used. The environment is read only
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from fetchpool.config import validate
from fetchpool.model.errors import UsageError

ENVIRONMENT = "env"
"""The value of `--proxy` that takes the environment's proxies."""
NONE_THERE = "--proxy env: the environment has no proxy (http_proxy, https_proxy, all_proxy)"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def proxy_fields(
    values: Mapping[str, Any], environ: Mapping[str, str], usable: Callable[[str], str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of `FetchOptions`, and notices. `usable` checks the address of a proxy."""
    proxy = values["proxy"]
    noproxy = values["noproxy"] if isinstance(values["noproxy"], str) else None
    direct = tuple(hosts(noproxy or ""))
    found = proxies_in(environ)
    if proxy == ENVIRONMENT:
        if noproxy is None:
            direct = tuple(hosts(_variable(environ, "no_proxy")))
        chosen: list[tuple[str, str]] = []
        for name, address in found.items():
            try:
                checked = usable(address)
            except UsageError as error:
                raise UsageError(f"--proxy env: {name}: {str(error).removeprefix('--proxy: ')}") from None
            schemes = ("http", "https") if name == "all_proxy" else (name.removesuffix("_proxy"),)
            chosen += [(scheme, checked) for scheme in schemes if scheme not in dict(chosen)]
        if not chosen:
            return {"proxy": None, "proxies": (), "noproxy": ()}, [NONE_THERE]
        return {"proxy": None, "proxies": tuple(chosen), "noproxy": direct}, []
    if proxy:
        return {"proxy": usable(proxy), "proxies": (), "noproxy": direct}, []
    notices = []
    if found and proxy is None and noproxy is None:
        names = ", ".join(found)
        verb, them = ("is", "it") if len(found) == 1 else ("are", "them")
        use = f"--proxy env uses {them}, --proxy '' hides this notice"
        notices = [f"{names} {verb} set in the environment and not used; {use}"]
    return {"proxy": None, "proxies": (), "noproxy": ()}, notices


def proxies_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies by the names of their variables. In a CGI program HTTP_PROXY is a header set by the
    client, and is ignored."""
    is_cgi = "REQUEST_METHOD" in environ
    found = {}
    for name in VARIABLES:
        address = environ.get(name, "") if name == "http_proxy" and is_cgi else _variable(environ, name)
        if address:
            found[name] = address
    return found


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


def hosts(text: str) -> list[str]:
    """Return the hosts, domains and networks of `--noproxy`, which are separated by commas or spaces."""
    return [
        each.lower().strip("[]").rstrip(".").removeprefix("*.").removeprefix(".")
        for each in text.replace(",", " ").split()
    ]


def is_direct(host: str, port: str, direct: tuple[str, ...]) -> bool:
    """Whether a host is reached without a proxy: it is listed itself, by its domain, or by its network."""
    host = host.lower().strip("[]").rstrip(".")
    for each in direct:
        if each in ("*", host, f"{host}:{port}") or host.endswith(f".{each}"):
            return True
        if "/" in each and _is_in(host, each):
            return True
    return False


def _is_in(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def noproxy(label: str, value: str) -> str:
    """Return the checked value of `--noproxy`."""
    for each in hosts(value):
        if "://" in each:
            raise UsageError(
                f"{label}: {each!r} is a URL; write hosts, domains or networks: a.example,10.0.0.0/8"
            )
    return validate.header_value(label, value)
