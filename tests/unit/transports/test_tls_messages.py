"""The messages of TLS failures, from the texts of OpenSSL and libcurl."""

from __future__ import annotations

import pytest

from fetchpool.transports import tls_messages
from fetchpool.transports.tls_messages import tls_message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("self-signed certificate", tls_messages.SELF_SIGNED),
        ("SSL certificate problem: self signed certificate", tls_messages.SELF_SIGNED),
        ("self-signed certificate in certificate chain", tls_messages.UNKNOWN_ISSUER),
        (
            "SSL certificate OpenSSL verify result: unable to get local issuer certificate (20)",
            tls_messages.UNKNOWN_ISSUER,
        ),
        ("unable to verify the first certificate", tls_messages.UNKNOWN_ISSUER),
        ("certificate revoked", tls_messages.REVOKED),
        ("SSL: no alternative certificate subject name matches target host name", tls_messages.OTHER_HOST),
        ("Hostname mismatch, certificate is not valid for 'localhost'.", tls_messages.OTHER_HOST),
        ("tlsv13 alert certificate required", tls_messages.CLIENT_CERTIFICATE),
        ("http request", tls_messages.NO_TLS),
        ("sslv3 alert handshake failure", "TLS failed: handshake failure"),
        ("ssl/tls alert handshake failure", "TLS failed: handshake failure"),
        ("tlsv1 alert protocol version", "TLS failed: protocol version"),
    ],
)
def test_a_text_of_a_tls_library_becomes_our_message(text: str, message: str) -> None:
    assert tls_message(text) == message


def test_the_fixes_are_options_and_a_scheme() -> None:
    assert "--cacert" in tls_messages.UNKNOWN_ISSUER
    assert "-k" in tls_messages.UNKNOWN_ISSUER
    assert "http://?" in tls_messages.NO_TLS
