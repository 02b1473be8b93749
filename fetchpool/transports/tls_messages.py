"""The messages of failed TLS handshakes, the same for every transport: each names its fix, if there is one.

In: a TLS library's error text. Out: fetchpool's own message.
"""

from __future__ import annotations

UNKNOWN_ISSUER = (
    "the certificate's issuer is not trusted; name its CA with --cacert, or skip the verification with -k"
)
SELF_SIGNED = "the certificate is self-signed; trust it with --cacert, or skip the verification with -k"
OTHER_HOST = "the certificate is for another host; -k skips the verification"
EXPIRED = "the certificate has expired; -k skips the verification"
NOT_YET_VALID = (
    "the certificate is not valid yet, or this machine's clock is wrong; -k skips the verification"
)
REVOKED = "the certificate was revoked"
NO_TLS = "the server does not speak TLS on this port; did you mean http://?"
CLIENT_CERTIFICATE = "the server requires a client certificate; use --cert"

MESSAGES: tuple[tuple[str, str], ...] = (
    ("certificate required", CLIENT_CERTIFICATE),
    ("in certificate chain", UNKNOWN_ISSUER),
    ("self-signed", SELF_SIGNED),
    ("self signed", SELF_SIGNED),
    ("issuer", UNKNOWN_ISSUER),
    ("verify the first certificate", UNKNOWN_ISSUER),
    ("not yet valid", NOT_YET_VALID),
    ("expired", EXPIRED),
    ("revoked", REVOKED),
    ("subject name", OTHER_HOST),
    ("common name", OTHER_HOST),
    ("mismatch", OTHER_HOST),
    ("wrong version number", NO_TLS),
    ("http request", NO_TLS),
    ("packet length too long", NO_TLS),
    ("record layer failure", NO_TLS),
)
"""Parts of the texts of OpenSSL and libcurl, with fetchpool's message; the first match applies."""
ALERTS = ("ssl/tls alert ", "sslv3 alert ", "tlsv1 alert ", "tlsv13 alert ")
"""The start of the text of an alert in different versions of OpenSSL."""


def tls_message(text: str) -> str:
    """Return the message for a TLS library's text."""
    text = text.lower()
    for part, message in MESSAGES:
        if part in text:
            return message
    for alert in ALERTS:
        text = text.removeprefix(alert)
    return f"TLS failed: {text}"
