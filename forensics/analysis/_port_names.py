"""What ports and machines are called: one name for the many spellings of one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable

GUEST_PREFIXES = ("fa:16:3e", "fa:16:3f", "02:16:3e", "52:54:00", "00:16:3e")
"""Of addresses that a cloud gives to guests: nova and neutron (``base_mac``, ``dvr_base_mac``), nova before Essex
(``02:16:3e``, nova/utils.py generate_mac_address), QEMU's and Xen's own."""
_LOGICAL = re.compile(r"(?i)^(?:port-?channel|po\s*\d|ae\d|bond|team|eth-trunk|bundle|bagg|bridge-aggregation|trk|lag)")
_LONG = {
    "port-channel": "po",
    "portchannel": "po",
    "bundle-ether": "bundle",
    "eth-trunk": "trunk",
    "bridge-aggregation": "bagg",
    "twentyfivegige": "twe",
    "twentyfivegigabitethernet": "twe",
}
_CARD = re.compile(r"[-_./:](?:bond|team|eth|en[ospx]|em|p\d+p|vnet|tap|qvo|qvb|qbr|br|vlan|any|lo)[\w.@-]*$")


def port_key(name: str) -> str:
    """One spelling for the names that a switch has for one port.

    A type is told by its first two letters in all short forms of Cisco, Arista and Dell; a logical unit of Junos is
    left out.

    Examples:
        >>> port_key("Gi1/0/27") == port_key("GigabitEthernet1/0/27"), port_key("ge-0/0/17.0"), port_key("Po 13")
        (True, 'ge-0/0/17', 'po13')
    """
    text = name.strip().lower().replace(" ", "")
    if re.match(r"^[a-z]{2,3}-\d+/\d+/\d+", text):
        return text.partition(".")[0]
    split = re.match(r"^([a-z][a-z-]*?)(\d.*)$", text)
    if split is None:
        return text
    kind, number = split.groups()
    return _LONG.get(kind, kind[:2] if "net" in kind or "gig" in kind or kind in ("eth", "gi", "te") else kind) + number


def is_logical(name: str) -> bool:
    """Whether a port is a bundle of others.

    Examples:
        >>> is_logical("Port-Channel35"), is_logical("ae0"), is_logical("Ethernet35")
        (True, True, False)
    """
    return bool(_LOGICAL.match(name.strip()))


def last_number(name: str) -> int | None:
    """The number that a name ends with, a domain and a logical unit aside.

    Examples:
        >>> last_number("Port-Channel35"), last_number("nova12.example.net"), last_number("ge-0/0/11.0")
        (35, 12, 11)
    """
    text = port_key(name) if "/" in name else short(name)
    found = re.findall(r"\d+", text)
    return int(found[-1]) if found else None


def short(name: str) -> str:
    """A host without its domain.

    Examples:
        >>> short("CC35.example.net"), short("10.0.0.5")
        ('cc35', '10.0.0.5')
    """
    return name if name[:1].isdigit() else name.partition(".")[0].lower()


def machine_of(point: str, machines: Iterable[str]) -> str:
    """The machine at which a capture was taken: the known name that its point begins with, or the point less its card.

    Examples:
        >>> machine_of("cc35/bond0", ["cc3", "cc35"]), machine_of("node-027-bond0", [])
        ('cc35', 'node-027')
    """
    fits = [name for name in machines if point == name or re.match(re.escape(name) + r"[-_./:]", point)]
    return max(fits, key=len) if fits else _CARD.sub("", point)


def is_guest(mac: str | None, known: Iterable[str] = ()) -> bool:
    """Whether an address is a guest's: by its prefix, or because it is known as one.

    Examples:
        >>> is_guest("fa:16:3e:24:e7:22"), is_guest("00:1c:73:03:13:01")
        (True, False)
    """
    return mac is not None and (mac.startswith(GUEST_PREFIXES) or mac in known)
