"""Output of `ip addr` and `ip link` of every iproute2, with and without details, whole or as a pasted line."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import (
    LEFT_OUT,
    LONGEST,
    NAME,
    PROMPT,
    after,
    ip_of,
    mac_of,
    member_traits,
    merged,
    namespace_in,
    namespace_of,
    prefixed,
    telling,
    traits,
    vlan_of,
    whole,
)
from forensics.records import HostInterface

_HEADER = re.compile(
    rf"^\s{{0,12}}(?P<index>\d{{1,10}}):\s{{1,4}}(?P<name>{NAME})(?:@(?P<parent>[^\s:]{{1,40}}))?:\s{{1,4}}"
    r"<(?P<flags>[A-Za-z0-9_,-]{0,400})>\s(?P<rest>.*)$"
)
_ONE_ADDRESS = re.compile(
    rf"^\s{{0,12}}(?P<index>\d{{1,10}}):\s{{1,4}}(?P<name>{NAME})(?:@\S{{1,40}})?\s+(?P<rest>inet6?\s.*)$"
)
_STATES = "UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT|NOTPRESENT|TESTING"
_BRIEF = re.compile(
    rf"^(?P<name>{NAME})(?:@(?P<parent>[^\s:]{{1,40}}))?\s+(?P<state>{_STATES})"
    r"(?:\s+(?P<rest>(?:<|[0-9A-Fa-f:.]{2,45}(?:/\d|\s+(?:peer|<))).*))?\s*$"
)
_BRIDGE_LINK = re.compile(r"\sstate \w+ priority \d+ cost \d+")
_OF_HEADER = frozenset({"mtu", "qdisc", "master", "state", "mode", "group", "qlen", "vrf"})
_OF_DETAILS = frozenset(
    {"inet", "inet6", "valid_lft", "alias", "altname", "vf", "brd", "scope", "promiscuity", "RX:", "TX:"}
)
_KINDS = frozenset((
    "amt", "bareudp", "batadv", "bond", "bridge", "can", "dsa", "dummy", "erspan", "geneve", "gre", "gretap", "gtp",
    "hsr", "ifb", "ip6erspan", "ip6gre", "ip6gretap", "ip6tnl", "ipip", "ipoib", "ipvlan", "ipvtap", "lowpan",
    "macsec", "macvlan", "macvtap", "netdevsim", "netkit", "nlmon", "openvswitch", "ovpn", "ppp", "rmnet", "sit",
    "team", "tun", "vcan", "veth", "virt_wifi", "vlan", "vrf", "vti", "vti6", "vxcan", "vxlan", "wireguard", "wwan",
    "xfrm",
))  # fmt: skip
"""Kinds of devices (iproute2, ip/iplink_*.c, link_*.c), as they stand in front of their details."""


def _words(line: str) -> list[str]:
    return line.split(None, 1)[:1]


def _belongs(line: str) -> bool:
    """Whether a line goes on with the interface above it; pastes lose their indentation."""
    if not line.strip() or LEFT_OUT.match(line[:40]):
        return False
    (word,) = _words(line[:200])
    told = line[0].isspace() or word in _OF_HEADER or word in _OF_DETAILS or word.startswith("link/")
    return told and not (_HEADER.match(line) or _ONE_ADDRESS.match(line))


def _address(words: list[str]) -> str | None:
    """What ``inet`` or ``inet6`` says: an own address with the prefix length, which a peer's carries."""
    if len(words) < 2:
        return None
    peer = after(words, "peer") if "/" not in words[1] else None
    return prefixed(words[1] + "/" + peer.partition("/")[2] if peer and "/" in peer else words[1])


def _virtual(name: str, words: list[str]) -> dict[str, Any] | None:
    """A virtual function of a network card, which an instance may have as its own."""
    number = whole(words[1]) if len(words) > 1 else None
    if number is None:
        return None
    bare = [word.rstrip(",") for word in words]
    mac = mac_of(after(bare, "MAC") or after(bare, "link/ether"))
    return {
        "interface": f"{name} vf {number}", "kind": "vf", "parent": name, "mac": mac,
        "vlan_id": whole(after(bare, "vlan"), 4095),
    }  # fmt: skip


def described(header: re.Match[str], text: str) -> list[dict[str, Any]]:
    r"""Columns of an interface, and of the virtual functions that it lists.

    Args:
        header: What its first line says.
        text: That line and the others, joined with a backslash as ``ip -o`` does.
    """
    name, parent = header["name"], header["parent"]
    parent = None if parent in (None, "NONE") else parent
    flags = [flag for flag in header["flags"].split(",") if flag]
    parts = [part.split() for part in text.split("\\")]
    head = header["rest"].partition("\\")[0].split()
    told: list[dict[str, Any]] = []
    addresses: list[str] = []
    virtual: list[dict[str, Any]] = []
    kind = None
    for words in filter(None, parts[1:]):
        first = words[0]
        if first in _OF_HEADER and not told:
            head += words
        elif first.startswith("link/"):
            told.append(_link(first, words))
        elif first in ("inet", "inet6"):
            addresses += filter(None, [_address(words)])
        elif first == "vf":
            virtual += filter(None, [_virtual(name, words)])
        elif first in _KINDS and kind is None:
            kind = first
            told.append(traits(kind, partial(after, words)))
            if kind in ("vxlan", "geneve") and parent is None:
                told.append({"parent": after(words, "dev")})
        elif first.endswith("_slave"):
            told.append(member_traits(first.removesuffix("_slave"), partial(after, words)))
    vlan_id = vlan_of(name, parent) if kind in (None, "vlan") else None
    own = {
        "interface": name,
        "index": whole(header["index"]),
        "parent": parent,
        "kind": kind or ("vlan" if vlan_id is not None else None),
        "mtu_bytes": whole(after(head, "mtu")),
        "master": after(head, "master") or after(head, "vrf"),
        "state": after(head, "state"),
        "carrier": "LOWER_UP" in flags and "NO-CARRIER" not in flags,
        "flags": flags,
        "addresses": addresses or None,
        "qdisc": after(head, "qdisc"),
        "peer": parent if kind == "veth" and vlan_id is None else None,
    }
    return [merged(own, *told, {"vlan_id": vlan_id}), *virtual]


def _link(first: str, words: list[str]) -> dict[str, Any]:
    far = after(words, "peer") or after(words, "brd")
    return {
        "mac": mac_of(words[1]) if len(words) > 1 else None,
        "permanent_mac": mac_of(after(words, "permaddr")),
        "remote_ip": None if first in ("link/ether", "link/loopback") else ip_of(far),
    }


def _read(document: Document) -> None:
    lines = document.lines
    of_command = namespace = namespace_of(document.head.command)
    at = 0
    while at < len(lines):
        line = lines[at] if len(lines[at]) <= LONGEST else ""
        end = at + 1
        if not line or line.isspace():
            pass
        elif header := _HEADER.match(line):
            while end < len(lines) and _belongs(lines[end][:LONGEST]):
                end += 1
            for row in described(header, "\\".join(part[:LONGEST] for part in lines[at:end])):
                document.add(HostInterface, at, end - at, **row, namespace=namespace)
        elif one := _ONE_ADDRESS.match(line):
            end = _addresses(document, at, one, namespace)
        elif brief := _BRIEF.match(line):
            document.add(HostInterface, at, **_brief(brief), namespace=namespace)
        elif found := namespace_in(line):
            namespace = found
            document.skip(at)
        elif LEFT_OUT.match(line[:40]):
            namespace = namespace or of_command
            document.skip(at)
        at = end


def _addresses(document: Document, at: int, one: re.Match[str], namespace: str | None) -> int:
    """One interface of ``ip -o addr``, which has a line for each address; returns where the next one begins."""
    found: list[str] = []
    end, more = at, one
    while more["index"] == one["index"] and more["name"] == one["name"]:
        found += filter(None, [_address(more["rest"].split("\\", 1)[0].split())])
        end += 1
        following = _ONE_ADDRESS.match(document.lines[end][:LONGEST]) if end < len(document.lines) else None
        if following is None:
            break
        more = following
    row = {"interface": one["name"], "index": whole(one["index"]), "addresses": found, "namespace": namespace}
    document.add(HostInterface, at, end - at, **row)
    return end


def _brief(said: re.Match[str]) -> dict[str, Any]:
    rest = (said["rest"] or "").split()
    parent = None if said["parent"] == "NONE" else said["parent"]
    vlan_id = vlan_of(said["name"], parent)
    row: dict[str, Any] = {
        "interface": said["name"], "parent": parent, "state": said["state"], "vlan_id": vlan_id,
        "kind": "vlan" if vlan_id is not None else None,
    }  # fmt: skip
    if rest and rest[-1].startswith("<"):
        flags = [flag for flag in rest[-1].strip("<>").split(",") if flag]
        carrier = "LOWER_UP" in flags and "NO-CARRIER" not in flags
        return {**row, "mac": mac_of(rest[0]), "flags": flags, "carrier": carrier}
    addresses: list[str] = []
    for place, word in enumerate(rest):
        if rest[place - 1 : place] != ["peer"] and word != "peer":
            addresses += filter(None, [_address(["inet", *rest[place : place + 3]])])
    return {**row, "addresses": addresses or None}


def _recognise(head: Head) -> float:
    lines = telling(head)
    if len(lines) == 0:
        return 0.0
    headers = [line for line in lines if _HEADER.match(line[:600])]
    if any(_BRIDGE_LINK.search(line[:600].partition("\\")[0]) for line in headers[:3]):
        return 0.0
    own = len(headers) or sum(1 for line in lines if _ONE_ADDRESS.match(line[:600]))
    if not own:
        brief = [found for line in lines if (found := _BRIEF.match(line[:2_000]))]
        told = any(found["rest"] for found in brief) or "ip -br" in (head.command or "")
        return 0.95 if len(brief) == len(lines) and told else 0.0
    understood = sum(1 for line in lines if _known(line[:600]))
    share = understood / len(lines)
    if any(PROMPT.match(line[:200]) for line in lines):
        return min(share, 0.5)
    return 0.97 if share > 0.8 else share


def _known(line: str) -> bool:
    return bool(_HEADER.match(line) or _ONE_ADDRESS.match(line) or _belongs(line) or namespace_in(line))


READERS = (
    DocumentFormat(
        name="ip",
        records=(HostInterface,),
        reference="iproute2 2.6 to 6.x, ip/ipaddress.c, ip/iplink_*.c",
        recognise=_recognise,
        read=_read,
    ),
)
