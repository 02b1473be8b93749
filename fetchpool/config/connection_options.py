"""Checks the options of connections: certificates, TLS versions, address families, interfaces.

In: values as a user typed them or a program passed them. Out: fields of `FetchOptions`, or a `UsageError` of
one line. A certificate is loaded once here, so that a wrong file or password fails before the run.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fetchpool.config import validate
from fetchpool.model.errors import UsageError

TLS_VERSIONS = ("1.2", "1.3")


def certificate(label: str, value: str) -> tuple[str, str]:
    """Return the file and the password of `FILE[:PASSWORD]`, as in curl's `--cert`."""
    path, password = value, ""
    if not Path(value).is_file():
        path, _, password = value.partition(":")
    return validate.file(label, path), password


def connection_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `FetchOptions` for these options."""
    cert, password = values["cert"] or (None, "")
    if cert is not None:
        _check_certificate(cert, values["key"], password)
    elif values["key"]:
        raise UsageError("--key requires --cert, the certificate that it belongs to")
    lowest = "1.3" if values["tlsv1_3"] else "1.2" if values["tlsv1_2"] else ""
    highest = values["tls_max"] or ""
    if lowest == "1.3" and highest == "1.2":
        raise UsageError("--tlsv1.3 and --tls-max 1.2 are mutually exclusive")
    if values["ipv4"] and values["ipv6"]:
        raise UsageError("--ipv4 and --ipv6 are mutually exclusive")
    version = "4" if values["ipv4"] else "6" if values["ipv6"] else ""
    for where, addresses in values["resolve"]:
        for address in addresses:
            if version and (":" in address) != (version == "6"):
                raise UsageError(
                    f"--resolve: {where}:{address} is not an IPv{version} address (--ipv{version})"
                )
    return {
        "cert": cert,
        "key": values["key"],
        "key_password": password,
        "tls_min": lowest,
        "tls_max": highest,
        "ip_version": version,
    }


def _check_certificate(cert: str, key: str | None, password: str) -> None:
    import ssl  # takes 20 ms to import

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        # Without a password function OpenSSL would ask on the terminal.
        context.load_cert_chain(cert, key, password=lambda: password)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
        files = cert if key is None else f"{cert} and {key}"
        raise UsageError(
            f"--cert: {files}: no certificate with its key ({reason}); a key in another file needs --key, an "
            "encrypted one --cert FILE:PASSWORD"
        ) from None


def interface(label: str, value: str) -> str:
    """Return the name of an interface or an address of this machine."""
    try:
        address = ip_address(value.strip("[]"))
    except ValueError:
        names = [name for _, name in socket.if_nameindex()]
        if value not in names:
            known = ", ".join(names)
            raise UsageError(f"{label}: {value!r} is neither an address nor an interface ({known})") from None
        return value
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        raise UsageError(f"{label}: {address} is not an address of this machine") from None
    return str(address)
