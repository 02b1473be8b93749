"""Which addresses are public: the list of tricks from the faults, by name."""

from __future__ import annotations

import pytest

from fetchpool.model.addresses import address_is_public


@pytest.mark.parametrize(
    "ip",
    [
        "8.8.8.8",
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:810::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_an_address_of_the_internet_is_public(ip: str) -> None:
    assert address_is_public(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
        "100::1",
        "2001:db8::1",
        "2001:2::1",
        "3fff::1",
        "4000::1",
    ],
)
def test_an_address_of_this_machine_or_network_is_not(ip: str) -> None:
    assert not address_is_public(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:7f00:0:100:808:808",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2002:c0a8:101::1",
        "2001:0:808:808:0:0:80ff:fffe",  # the Teredo client 127.0.0.1
        "2001:0:a00:1:0:0:f7f7:f7f7",  # the Teredo server 10.0.0.1
    ],
)
def test_a_private_address_inside_another_is_still_private(ip: str) -> None:
    assert not address_is_public(ip)


def test_a_teredo_address_is_public_when_both_its_ends_are() -> None:
    assert address_is_public("2001:0:808:808:0:0:f7f7:f7f7")


@pytest.mark.parametrize("text", ["", "localhost", "[::1]", "8.8.8.8:80", "8.8.8", "0x7f.1", "2130706433"])
def test_text_that_is_no_address_is_not_public(text: str) -> None:
    assert not address_is_public(text)
