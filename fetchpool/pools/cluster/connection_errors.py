"""Explains why the scheduler of a cluster can't be reached. Pure.

In: the exception with which Dask's client fails, and the address. Out: one line for the user.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

SEE_DOCS = "see docs/usage/cluster.md (DASK_DISTRIBUTED__COMM__TLS__...)"
NO_SCHEDULER = "no scheduler responds there"
MAYBE_TLS = f"{NO_SCHEDULER}; if it uses certificates, its address begins with tls://"
NO_TLS = "it does not use certificates: its address begins with tcp:// if it is a scheduler"
NO_CERTIFICATE = f"it asks for a certificate; {SEE_DOCS}"
NOT_TRUSTED = "its certificate is not accepted ({}); " + SEE_DOCS
NOT_ACCEPTED = f"it does not accept this side's certificate; {SEE_DOCS}"
NOT_READABLE = f"a file of certificates can't be read ({{}}); {SEE_DOCS}"
NOT_USABLE = f"the certificate can't be used ({{}}); {SEE_DOCS}"


def explain(error: BaseException, address: str) -> str:
    """Return why the scheduler with this address can't be reached."""
    errors = list(_chain(error))
    if any("ssl_context" in str(each) for each in errors):
        return NO_CERTIFICATE
    for each in errors:
        if isinstance(each, ssl.SSLCertVerificationError):
            return NOT_TRUSTED.format(each.verify_message)
        if isinstance(each, FileNotFoundError | PermissionError):
            return NOT_READABLE.format(each.strerror)
    if any("_ALERT_" in str(each) or isinstance(each, ssl.SSLEOFError) for each in errors):
        return NOT_ACCEPTED
    for each in errors:
        if "WRONG_VERSION_NUMBER" in str(each):
            return NO_TLS
        if isinstance(each, ConnectionResetError):
            # Over TLS the reset has overtaken the message that says why.
            return NOT_ACCEPTED if address.startswith("tls://") else MAYBE_TLS
        if isinstance(each, ssl.SSLError):
            return NOT_USABLE.format(each)
    return NO_SCHEDULER


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
