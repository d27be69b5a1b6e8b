"""Says which web addresses may be read: their spelling, their host, and the network addresses the host leads to."""

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from tools.base import Forbidden, InvalidInput
from tools.knowledge import KnowledgeConfig

__all__ = ["Target", "check_addresses", "judged", "target"]

_MOST_CHARS = 2_000
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>/?[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*names: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(name) for name in names)


# IANA's registries of special addresses, written out: what the standard library knows of them changes with its version.
_NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),  # unspecified, link-local, multicast, reserved
    *("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"),  # metadata of clouds outside of link-local
    *("::/128", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32"),
    *("2001::/32", "2002::/16", "64:ff9b:1::/48"),  # tunnels: Teredo, 6to4, local NAT64
)
_INSIDE = _networks(
    *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24"),
    *("192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48"),
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked for, once its host is known to lead where it may."""

    url: str
    """In one spelling: the scheme and the host in small letters, no fragment, no port that goes without saying."""
    scheme: str
    host: str
    """A name, or an IP address without brackets."""
    port: int
    inside: bool
    """Listed in `url_private_hosts`: its addresses need not be public."""


def target(url: str, config: KnowledgeConfig) -> Target:
    """Checks all that can be said of `url` without asking anybody.

    Raises:
        InvalidInput: it is no http or https address in plain spelling.
        Forbidden: its host or port is not among those that may be read.
    """
    found = (
        _URL.fullmatch(url) if len(url) <= _MOST_CHARS and url.isprintable() and not set(url) & set(' \\"<>') else None
    )
    if found is None or not found["authority"]:
        raise _odd(f"{url[:80]!r} is no web address.")
    scheme = found["scheme"].lower()
    if scheme not in _PORTS:
        raise _odd(f"The address begins with {scheme[:20]!r}.")
    if "@" in found["authority"]:
        raise _odd("The address holds a user name before its host.")
    authority = _AUTHORITY.fullmatch(found["authority"])
    host = _host(authority["host"].lower()) if authority else None
    if authority is None or host is None:
        raise _odd(f"The host {found['authority'][:80]!r} has an odd spelling.")
    port = int(authority["port"] or _PORTS[scheme])
    shown = f"[{host}]" if ":" in host else host
    names = {f"{shown}:{port}", *([shown] if port in _PORTS.values() else [])}
    inside = not names.isdisjoint(config.url_private_hosts)
    if not inside and (port not in _PORTS.values() or config.url_hosts is not None):
        _listed(shown, port, names, config.url_hosts)
    place = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    rest = found["rest"]
    return Target(f"{scheme}://{place}{'' if rest.startswith('/') else '/'}{rest}", scheme, host, port, inside)


def check_addresses(asked: Target, addresses: Collection[str]) -> None:
    """Checks where the host leads: each of its addresses must be one that may be read.

    Raises:
        Forbidden: one is not, or there is none; the two cannot be told apart, so that nobody learns names of the inside.
    """
    admitted = ("public", "inside") if asked.inside else ("public",)
    if not addresses or any(judged(address) not in admitted for address in addresses):
        raise Forbidden(
            f"The host {asked.host!r} does not lead to a public address. Expected one that everybody can reach.",
            hint="Check the address. The platform team can list hosts of the intranet in 'url_private_hosts'.",
        )


def judged(address: str) -> Literal["public", "inside", "never"]:
    """Where an IP address leads: `inside` may be admitted by setting, `never` (metadata, multicast, tunnels …) not."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return "never"
        if ip.ipv4_mapped is not None:
            return judged(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return judged(str(ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)))
        if ip in _COMPATIBLE and not ip.is_loopback:
            return "never"
    if _within(ip, _NEVER):
        return "never"
    return "inside" if _within(ip, _INSIDE) or (ip.version == 6 and ip not in _UNICAST) else "public"


def _within(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Iterable[_Network]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)


def _host(written: str) -> str | None:
    """The host in its one spelling; None where it has another: what reads it next might see a different one."""
    try:
        if written.startswith("["):
            return ipaddress.IPv6Address(written[1:-1]).compressed
        labels = written.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return written if str(ipaddress.IPv4Address(written)) == written else None
    except ValueError:
        return None
    return written if len(written) <= 253 and all(map(_LABEL.fullmatch, labels)) else None


def _listed(shown: str, port: int, names: Collection[str], hosts: Collection[str] | None) -> None:
    parents = {f"*{name[at:]}" for name in names for at, char in enumerate(name) if char == "."}
    if hosts is not None and not {*names, *parents}.isdisjoint(hosts):
        return
    if hosts is None:
        raise Forbidden(
            f"The address asks for port {port}. Expected 80 or 443.",
            hint="The platform team can list the host with its port in 'url_hosts' or 'url_private_hosts'.",
        )
    raise Forbidden(
        f"The host {shown!r} at port {port} is not among those that may be read.",
        hint="Ask the platform team to list it in 'url_hosts'.",
    )


def _odd(message: str) -> InvalidInput:
    return InvalidInput(
        f"{message} Expected http://host/… or https://host/… with a plain host.",
        hint="Write the host as its name (in its xn-- form where it has other letters than a to z) or as a plain IP address.",
    )
