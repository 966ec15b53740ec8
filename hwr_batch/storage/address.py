"""Which hosts an http(s) request may reach, whatever a manifest or the domain name system says.

Link-local addresses, cloud metadata services outside that range, unspecified and multicast addresses
are refused always; loopback only under a name that says so (`localhost`, `127.0.0.1`), so that a
foreign name cannot be pointed at this machine. Private networks are allowed: archives serve their
images there, and the access policy has already decided on the host.
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle Cloud
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_NUMERIC = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\.?$")


def refusal(host: str, resolved: str | None = None) -> str | None:
    """Why `host` may not be asked, as the end of a sentence; None where it may.

    `host` as written in the URL, without brackets; `resolved`: an address that its name led to.
    """
    literal = _address(host)
    if literal is None and _NUMERIC.search(host.rpartition(".")[2] or host):
        return "has a number for a host name"  # 2852039166, 0xa9fea9fe, 127.1: other spellings of addresses
    address = _address(resolved) if resolved is not None else literal
    if address is None:
        return None
    for seen in (address, *_inside(address)):
        if seen.is_link_local or seen in _METADATA:
            return f"leads to the link-local or metadata address {seen}"
        if seen.is_unspecified or seen.is_multicast or seen in ipaddress.ip_network("0.0.0.0/8"):
            return f"leads to the address {seen}, which is no host"
        if seen.is_loopback and literal is None and not _is_localhost(host):
            return f"leads to this machine ({seen}) by a name that does not say so"
    return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _inside(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    teredo = address.teredo[1] if address.teredo else None
    nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return tuple(a for a in (address.ipv4_mapped, address.sixtofour, teredo, nat64) if a is not None)


def _is_localhost(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")
