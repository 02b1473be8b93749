"""The options that make connections, with every transport and executor, as a server sees them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import fetchpool
from tests.faults.matrix import Way, fetch_urls, in_every_way, over_each_transport
from tests.recording_server import RecordingServer

CA = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A CA, a client's certificate with its key in one file, both in files of their own, and a key with a
    password."""
    from cryptography.hazmat.primitives import serialization

    client = CA.issue_cert("client.example")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "both", "cert", "key", "secret")}
    CA.cert_pem.write_to_path(files["ca"])
    client.private_key_and_cert_chain_pem.write_to_path(files["both"])
    client.cert_chain_pems[0].write_to_path(files["cert"])
    client.private_key_pem.write_to_path(files["key"])
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"s3cret"),
    )
    files["secret"].write_bytes(client.cert_chain_pems[0].bytes() + encrypted)
    return files


def server_context(*, asks: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        CA.configure_trust(context)
    return context


@pytest.fixture
def asking() -> Iterator[RecordingServer]:
    """A server that requires a client's certificate."""
    with RecordingServer(tls=server_context(asks=True)) as server:
        yield server


@in_every_way
def test_a_client_certificate_is_sent_to_a_server_that_asks(
    way: Way, asking: RecordingServer, files: dict[str, Path]
) -> None:
    for settings in (
        {"cert": files["both"]},
        {"cert": files["cert"], "key": files["key"]},
        {"cert": f"{files['secret']}:s3cret"},
    ):
        [record] = fetch_urls(way, [asking.url()], cacert=files["ca"], **settings)
        assert record.error is None, record.errormsg
    [record] = fetch_urls(way, [asking.url()], cacert=files["ca"])
    assert record.error is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"cert": "cert"},
        {"cert": "secret"},
        {"cert": "secret", "password": "wrong"},
        {"cert": "ca", "key": "key"},
    ],
    ids=["no key", "no password", "wrong password", "another key"],
)
def test_a_certificate_that_cannot_be_used_is_refused_before_the_run(
    settings: dict[str, str], files: dict[str, Path]
) -> None:
    password = f":{settings.pop('password')}" if "password" in settings else ""
    given = {name: f"{files[value]}{password}" for name, value in settings.items()}
    with pytest.raises(fetchpool.UsageError, match="no certificate with its key"):
        list(fetchpool.fetch([], **given))  # type: ignore[arg-type]


def test_a_key_needs_its_certificate(files: dict[str, Path]) -> None:
    with pytest.raises(fetchpool.UsageError, match="key= requires cert="):
        list(fetchpool.fetch([], key=files["key"]))


@over_each_transport
def test_tls_versions_are_limited(way: Way, files: dict[str, Path]) -> None:
    old, new = server_context(), server_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    with RecordingServer(tls=old) as older, RecordingServer(tls=new) as newer:
        urls = [older.url(), newer.url()]
        for settings, failed in (
            ({}, [False, False]),
            ({"tlsv1_2": True}, [False, False]),
            ({"tlsv1_3": True}, [True, False]),
            ({"tls_max": "1.2"}, [False, True]),
            ({"tlsv1_2": True, "tls_max": "1.2"}, [False, True]),
        ):
            records = fetch_urls(way, urls, cacert=files["ca"], **settings)
            assert [record.error is not None for record in records] == failed, settings
            assert {record.error for record in records} <= {None, "tls"}


@in_every_way
def test_addresses_of_one_family_are_used(way: Way) -> None:
    with RecordingServer() as four, RecordingServer("::1") as six:
        urls = [four.url(), six.url(), four.url(host="localhost")]
        errors = [record.error for record in fetch_urls(way, urls, ipv4=True)]
        assert errors == [None, "dns", None]
        urls[2] = six.url(host="localhost")
        records = fetch_urls(way, urls, ipv6=True)
        assert records[0].error == "dns"
        assert records[0].errormsg == "127.0.0.1 is not an IPv6 address"
        assert records[1].error is None
        assert records[2].error in (None, "dns")  # localhost need not have an IPv6 address


@in_every_way
def test_connections_are_made_from_an_address_or_an_interface(way: Way) -> None:
    with RecordingServer() as server:
        for interface in ("127.0.0.3", "lo"):
            [record] = fetch_urls(way, [server.url()], interface=interface)
            assert record.error is None, record.errormsg
        assert server.requests[0].peer == "127.0.0.3"
    with RecordingServer("::1") as server:
        [record] = fetch_urls(way, [server.url()], interface="127.0.0.3")
        assert record.error == "unreachable"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interface": "192.0.2.1"}, "interface=192.0.2.1 is not an address of this machine"),
        ({"interface": "nope0"}, "interface='nope0' is neither an address nor an interface"),
        ({"ipv4": True, "ipv6": True}, "ipv4= and ipv6= are mutually exclusive"),
        ({"tlsv1_3": True, "tls_max": "1.2"}, "tlsv1_3= and tls_max='1.2' are mutually exclusive"),
        ({"tls_max": "1.1"}, "tls_max='1.1' is not one of 1.2, 1.3"),
        (
            {"ipv6": True, "resolve": ["a.example:80:127.0.0.1"]},
            "resolve: a.example:80:127.0.0.1 is not an IPv6",
        ),
    ],
)
def test_invalid_connection_options_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(fetchpool.UsageError) as caught:
        list(fetchpool.fetch([], **settings))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_curl_keeps_to_the_family_for_names_of_a_pool() -> None:
    with RecordingServer() as server, fetchpool.Pool(1, ipv4=True) as pool:
        assert pool.submit(server.url(host="localhost")).result().remote_ip == "127.0.0.1"
