"""What the documents about a host's network share: addresses, names of VLANs, words of a line, lines left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from forensics.loaders.documents._document import Document, Head

LEFT_OUT = re.compile(r"^\s*(?:…|\.{2,6}|\[(?:…|\.{3})\]|\((?:…|\.{3})\)|<snip>|--)\s*$")
"""A line that says that lines were left out."""
PROMPT = re.compile(r"^(?:[\w.@:~/\[-]{0,80}[ \w~/.-]{0,40}\]?[$#>%]) ?\S")
NAME = r"[^\s/@:]{1,40}"
"""Name of an interface; the kernel allows 15 octets (IFNAMSIZ), other systems more."""
LONGEST = 100_000
"""A line beyond this many characters is no line of a listing of interfaces."""
_MAC = re.compile(r"^[0-9A-Fa-f]{1,2}(?:([:-])[0-9A-Fa-f]{1,2})(?:\1[0-9A-Fa-f]{1,2}){4}$")
_DOTTED_MAC = re.compile(r"^[0-9A-Fa-f]{4}([.-])[0-9A-Fa-f]{4}\1[0-9A-Fa-f]{4}$")
_BARE_MAC = re.compile(r"^[0-9A-Fa-f]{12}$")
_VLAN_NAME = re.compile(r"^vlan(?P<vid>\d{1,4})$")
_DOTTED_NAME = re.compile(r"^(?P<device>.{1,40})\.(?P<vid>\d{1,4})$")
_PEER = re.compile(r"^if\d+$")
_BRIDGE_ID = re.compile(r"^(?P<priority>[0-9A-Fa-f]{1,4})\.(?P<mac>\S{11,17})$")
_SPAN = re.compile(r"\d{1,5}(?:\s?-\s?\d{1,5})?")
_NAMESPACE = re.compile(
    r"^[\s=#*>:-]{0,40}(?:(?:netns|namespace)[: ]\s*(?P<said>[\w.-]{1,80})"
    r"|(?P<known>(?:qrouter|qdhcp|qlbaas|snat|fip|ovnmeta|haproxy)-[\w-]{1,80}))(?: \(id: \d+\))?[\s=#*:-]{0,40}$"
)
_IN_NAMESPACE = re.compile(r"\bip (?:netns exec|-n|-netns|--netns) (?P<name>[\w.-]+)")
BOND_MODES = {
    "load balancing (round-robin)": "balance-rr", "fault-tolerance (active-backup)": "active-backup",
    "load balancing (xor)": "balance-xor", "fault-tolerance (broadcast)": "broadcast",
    "IEEE 802.3ad Dynamic link aggregation": "802.3ad", "transmit load balancing": "balance-tlb",
    "adaptive load balancing": "balance-alb",
}  # fmt: skip
"""Modes of a bond as /proc words them (bond_main.c, bond_mode_name), and as its options and iproute2 do."""


def mac_of(said: Any) -> str | None:
    """A hardware address of six octets in lower case with colons, whatever its notation.

    Examples:
        >>> {mac_of(said) for said in ("FA:16:3e:24:E7:22", "fa16.3e24.e722", "fa-16-3e-24-e7-22", "fa163e24e722")}
        {'fa:16:3e:24:e7:22'}
        >>> mac_of("2:0:0:0:0:1")
        '02:00:00:00:00:01'
    """
    if not isinstance(said, str) or len(said) > 17:
        return None
    if _MAC.match(said):
        return ":".join(part.rjust(2, "0") for part in re.split("[:-]", said)).lower()
    if _DOTTED_MAC.match(said) or _BARE_MAC.match(said):
        digits = re.sub("[.-]", "", said).lower()
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return None


def ip_of(said: Any) -> str | None:
    """An address as RFC 5952 writes it, without zone and prefix length; None where it is none, or all zeros."""
    if not isinstance(said, str) or len(said) > 100:
        return None
    try:
        found = ip_address(said.partition("/")[0].partition("%")[0])
    except ValueError:
        return None
    return None if found.is_unspecified else str(found)


def prefixed(said: str) -> str | None:
    """An address with its prefix length, if it has one.

    Examples:
        >>> prefixed("2001:DB8::1/64"), prefixed("10.0.0.1"), prefixed("nonsense/1")
        ('2001:db8::1/64', '10.0.0.1', None)
    """
    found, slash, length = ip_of(said), *said.partition("/")[1:]
    return f"{found}{slash}{length}" if found and length.isdecimal() == bool(slash) else None


def whole(said: Any, most: int = 2**32 - 1) -> int | None:
    """A number from 0 to ``most``."""
    if isinstance(said, int) and not isinstance(said, bool):
        return said if 0 <= said <= most else None
    if not isinstance(said, str) or not said.isascii() or not said.isdecimal() or len(said) > 18:
        return None
    return int(said) if int(said) <= most else None


def after(words: Sequence[str], word: str) -> str | None:
    """The word behind the first of its kind."""
    try:
        return words[words.index(word) + 1]
    except (ValueError, IndexError):
        return None


def vlan_of(name: str, parent: str | None) -> int | None:
    """The VLAN id that the kernel put into a device's name.

    Trusted are the kernel's own four forms (net/8021q/vlan.c: VLAN_PLUS_VID and DEV_PLUS_VID, both also without
    padding), and only where the device is known to lie on another of the same host: names alone are free to anyone.

    Examples:
        >>> vlan_of("vlan100", "vlan20"), vlan_of("bond0.0100", "bond0"), vlan_of("vlan100", None), vlan_of("a.5", "b")
        (100, 100, None, None)
    """
    if parent is None or _PEER.match(parent):
        return None
    found = _VLAN_NAME.match(name)
    if found is None:
        found = _DOTTED_NAME.match(name)
        if found is None or found["device"] != parent:
            return None
    vid = int(found["vid"])
    return vid if 1 <= vid <= 4094 else None


def bridge_id(said: Any) -> str | None:
    """A bridge id as brctl prints it, also from iproute2's form without leading zeros.

    Examples:
        >>> bridge_id("8000.2:42:ac:11:0:2"), bridge_id("8000.fa163e24e722")
        ('8000.0242ac110002', '8000.fa163e24e722')
    """
    found = _BRIDGE_ID.match(said) if isinstance(said, str) else None
    mac = mac_of(found["mac"]) if found else None
    return f"{found['priority'].lower().rjust(4, '0')}.{mac.replace(':', '')}" if found and mac else None


def vlans(said: str) -> list[int]:
    """VLAN ids of a list with ranges.

    Examples:
        >>> vlans("[1, 2, 30-32]")
        [1, 2, 30, 31, 32]
    """
    found: dict[int, None] = {}
    for span in _SPAN.findall(said):
        first, _, last = span.replace(" ", "").partition("-")
        found.update(dict.fromkeys(range(int(first), min(int(last or first), 4095) + 1)))
        if len(found) > 4096:
            break
    return [vid for vid in found if vid <= 4095]


def traits(kind: str | None, told: Callable[[str], Any]) -> dict[str, Any]:
    """Columns that the details of a kind of device fill; ``told`` gives one by the name that iproute2 has for it."""
    if kind == "vlan":
        return {"vlan_id": whole(told("id"), 4095), "vlan_protocol": told("protocol")}
    if kind == "bridge":
        stp = whole(told("stp_state"))
        return {"bridge_id": bridge_id(told("bridge_id")), "stp": None if stp is None else stp > 0}
    if kind == "bond":
        aggregator = whole(told("ad_aggregator"))
        return {"mode": told("mode"), "aggregator": aggregator, "partner_mac": mac_of(told("ad_partner_mac"))}
    if kind in ("vxlan", "geneve"):
        far = (told(name) for name in ("remote", "remote6", "group", "group6"))
        return {"tunnel_id": whole(told("id")), "remote_ip": next(filter(None, map(ip_of, far)), None)}
    if kind in ("macvlan", "macvtap", "ipvlan", "ipvtap"):
        return {"mode": told("mode")}
    if kind and (kind.startswith(("gre", "ip6gre", "erspan", "ipip", "sit", "vti", "ip6tnl", "ip6erspan"))):
        return {"tunnel_id": key_of(told("ikey") or told("key")), "remote_ip": ip_of(told("remote"))}
    return {}


def member_traits(kind: str | None, told: Callable[[str], Any]) -> dict[str, Any]:
    """Columns that tell a device as a member of a bridge or bond; see `traits`."""
    if kind == "bridge":
        return {"mode": told("state")}
    if kind == "bond":
        return {
            "link_failures": whole(told("link_failure_count")),
            "permanent_mac": mac_of(told("perm_hwaddr")),
            "aggregator": whole(told("ad_aggregator_id")),
        }
    return {}


def key_of(said: Any) -> int | None:
    """A tunnel's key: a number, or one written as an address is.

    Examples:
        >>> key_of("0.0.1.5"), key_of("77"), key_of("flow")
        (261, 77, None)
    """
    plain = whole(said)
    if plain is not None or not isinstance(said, str) or said.count(".") != 3:
        return plain
    parts = [whole(part, 255) for part in said.split(".")]
    return (
        None if None in parts else sum(part << shift for part, shift in zip(parts, (24, 16, 8, 0), strict=True) if part)
    )


def merged(*columns: dict[str, Any]) -> dict[str, Any]:
    """Columns of several tellers; the first that knows a value wins."""
    found: dict[str, Any] = {}
    for one in columns:
        found.update({name: value for name, value in one.items() if value is not None and name not in found})
    return found


def namespace_in(line: str) -> str | None:
    """The network namespace that a heading announces."""
    found = _NAMESPACE.match(line) if len(line) < 200 else None
    return (found["said"] or found["known"]) if found else None


def namespace_of(command: str | None) -> str | None:
    """The network namespace that a command looked at."""
    found = _IN_NAMESPACE.search(command) if command else None
    return found["name"] if found else None


def telling(head: Head, most: int = 60) -> list[str]:
    """The first lines that are neither blank nor stand for others."""
    found: list[str] = []
    for line in head.lines[:2_000]:
        if line.strip() and not LEFT_OUT.match(line[:40]):
            found.append(line)
            if len(found) == most:
                break
    return found


def skip_left_out(document: Document) -> None:
    """Say of all lines that stand for others that they hold nothing."""
    for at, line in enumerate(document.lines):
        if len(line) < 40 and LEFT_OUT.match(line):
            document.skip(at)


def subject(command: str | None, *programs: str) -> str | None:
    """The last word of a command line that is no option, such as the interface of ``ethtool -i eth0``.

    Examples:
        >>> subject("ethtool -i eth0", "ethtool"), subject("brctl showmacs br100 | sort", "brctl")
        ('eth0', 'br100')
    """
    words = (command or "").partition("|")[0].split()[:40]
    while words and words[0].rpartition("/")[2] not in programs:
        words.pop(0)
    named = [word for word in words[1:] if not word.startswith("-")]
    return named[-1] if named else None
