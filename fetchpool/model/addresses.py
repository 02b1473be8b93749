"""Decides which IP addresses are public (faults 31 to 33).

In: an address as text, as it was connected to. Out: yes or no. Pure: it resolves nothing.

An address that contains another one (NAT64, 6to4, Teredo, IPv4-mapped) is checked by the inner one, since the
packets are sent there.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# The registries name what is *not* globally reachable; `ipaddress.is_global` reads them too, but its
# answers differ between Python releases (3.11.10 and 3.13 moved several blocks), and a policy must not.
SPECIAL_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network" (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers (RFC 6598)
        "127.0.0.0/8",  # loopback (RFC 1122)
        "169.254.0.0/16",  # link-local (RFC 3927); clouds keep their credentials at 169.254.169.254
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # 6to4 relays, retired (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast (RFC 1112)
        "240.0.0.0/4",  # reserved, and broadcast (RFC 1112, RFC 919)
    )
)
"""The IANA IPv4 Special-Purpose Address Registry: blocks that are not public."""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The block that IANA assigns for use on the internet: loopback, link-local, unique local, multicast and
unspecified addresses are outside of it."""
SPECIAL_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, benchmarking, ORCHID (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
"""Blocks of the IANA IPv6 Special-Purpose Address Registry within the global unicast block."""

IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
NAT64 = IPv6Network("64:ff9b::/96")
NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
SIX_TO_FOUR = IPv6Network("2002::/16")
TEREDO = IPv6Network("2001::/32")


def address_is_public(ip: str) -> bool:
    """Whether `ip` (no brackets, no port; a zone is allowed) can be reached from the internet. False for text
    that is not an address."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _ipv4_is_public(address)
    carried = carried_addresses(address)
    if carried:
        return all(map(_ipv4_is_public, carried))
    return address in GLOBAL_UNICAST and not any(address in network for network in SPECIAL_IPV6)


def _ipv4_is_public(address: IPv4Address) -> bool:
    return not any(address in network for network in SPECIAL_IPV4)


def carried_addresses(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address contains; empty if it contains none."""
    bits = int(address)
    last = IPv4Address(bits & 0xFFFFFFFF)
    if address in IPV4_MAPPED or address in NAT64:
        return (last,)
    if address in NAT64_LOCAL:
        # RFC 8215 leaves the format to the operator: nearly always a /96 with the address at its
        # end, but RFC 6052 allows it right after the /48, around the octet that must be zero.
        after = IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)
        return (last, after) if int(after) else (last,)
    if address in SIX_TO_FOUR:  # RFC 3056
        return (IPv4Address(bits >> 80 & 0xFFFFFFFF),)
    if address in TEREDO:  # RFC 4380: the server, and the client with its bits inverted
        return (IPv4Address(bits >> 64 & 0xFFFFFFFF), IPv4Address(bits & 0xFFFFFFFF ^ 0xFFFFFFFF))
    return ()
