"""The messages of failed TLS handshakes, the same for every transport: each names its fix, if there is one.

In: the text with which a TLS library explains a failure. Out: a message in our own words.
"""

from __future__ import annotations

UNKNOWN_ISSUER = (
    "the certificate's issuer is not trusted: name its CA with --cacert, or verify no certificate with -k"
)
SELF_SIGNED = "the certificate is self-signed: trust it with --cacert, or verify no certificate with -k"
OTHER_HOST = "the certificate is for another host; -k verifies no certificate"
EXPIRED = "the certificate has expired; -k verifies no certificate"
NOT_YET_VALID = (
    "the certificate is not valid yet, or this machine's clock is wrong; -k verifies no certificate"
)
REVOKED = "the certificate was revoked"
NO_TLS = "the server does not speak TLS on this port: http://?"
CLIENT_CERTIFICATE = "the server requires a client certificate: --cert"

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
"""What the texts of OpenSSL and libcurl contain, and our message; the first one applies."""
ALERTS = ("ssl/tls alert ", "sslv3 alert ", "tlsv1 alert ", "tlsv13 alert ")
"""How OpenSSL's versions begin the text of an alert."""


def tls_message(text: str) -> str:
    """Return the message for a TLS library's text."""
    text = text.lower()
    for part, message in MESSAGES:
        if part in text:
            return message
    for alert in ALERTS:
        text = text.removeprefix(alert)
    return f"TLS failed: {text}"
