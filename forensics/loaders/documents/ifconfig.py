"""Output of `ifconfig`, of net-tools before and since 2.0, and of the BSDs."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import LEFT_OUT, LONGEST, NAME, after, ip_of, mac_of, prefixed, telling, whole
from forensics.records import HostInterface

_OLD = re.compile(rf"^(?P<name>{NAME}(?::\S{{1,20}})?)\s+Link encap:(?P<rest>.*)$")
_NEW = re.compile(r"^(?P<name>[^\s/@]{1,40}): flags=[0-9a-fA-Fx]{1,10}<(?P<flags>[^<>]{0,400})>\s+(?P<rest>.*)$")
_OLD_FLAGS = re.compile(r"^(?P<flags>[A-Z][A-Z ]{1,200}?)\s+MTU:(?P<mtu>\d{1,9})\s")
_OLD_ADDRESS = re.compile(r"\binet addr:\s?(?P<ip>\S+)(?:.{0,100}?\bMask:(?P<mask>\S+))?")
_OLD_ADDRESS_6 = re.compile(r"\binet6 addr:\s?(?P<ip>\S+)")
_OLD_MAC = re.compile(r"\bHWaddr (?P<mac>\S+)")


def _masked(address: str | None, mask: str | None) -> str | None:
    """An address with the length of its mask, which BSD writes in hexadecimal."""
    found = ip_of(address)
    if found is None or mask is None:
        return found
    if mask.startswith("0x") and len(mask) == 10:
        try:
            mask = ".".join(str(octet) for octet in bytes.fromhex(mask[2:]))
        except ValueError:
            return found
    try:
        return f"{found}/{ip_network(f'0.0.0.0/{mask}').prefixlen}"
    except ValueError:
        return found


def _old(lines: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    addresses: list[str | None] = []
    for line in lines:
        if found := _OLD_MAC.search(line):
            row["mac"] = mac_of(found["mac"])
        if found := _OLD_ADDRESS.search(line):
            addresses.append(_masked(found["ip"], found["mask"]))
        if found := _OLD_ADDRESS_6.search(line):
            addresses.append(prefixed(found["ip"]))
        if found := _OLD_FLAGS.match(line.strip() + " "):
            row["flags"] = found["flags"].split()
            row["mtu_bytes"] = whole(found["mtu"])
    return {**row, "addresses": [one for one in addresses if one] or None}


def _new(found: re.Match[str], lines: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "flags": [flag for flag in found["flags"].split(",") if flag],
        "mtu_bytes": whole(after(found["rest"].split(), "mtu")),
    }
    addresses: list[str | None] = []
    for words in filter(None, (line.split() for line in lines)):
        if words[0] == "ether":
            row["mac"] = mac_of(after(words, "ether"))
        elif words[0] == "inet":
            addresses.append(_masked(after(words, "inet"), after(words, "netmask")))
        elif words[0] == "inet6" and len(words) > 1:
            length = after(words, "prefixlen")
            addresses.append(prefixed(words[1].partition("%")[0] + (f"/{length}" if length else "")))
        elif words[0] == "vlan:":
            parent = after(words, "interface:")
            row |= {"kind": "vlan", "vlan_id": whole(words[1], 4095) if len(words) > 1 else None, "parent": parent}
    return {**row, "addresses": [one for one in addresses if one] or None}


def _read(document: Document) -> None:
    lines = document.lines
    at = 0
    while at < len(lines):
        line = lines[at][:LONGEST]
        old, new = _OLD.match(line), _NEW.match(line)
        end = at + 1
        if old or new:
            while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
                end += 1
            below = [one[:2_000] for one in lines[at + 1 : end]]
            row = _old([line[:2_000], *below]) if old else _new(new, below) if new else {}
            flags = row.get("flags") or []
            carrier = "RUNNING" in flags if "UP" in flags else None
            name = (old or new)["name"]  # type: ignore[index]
            document.add(HostInterface, at, end - at, interface=name.rstrip(":"), carrier=carrier, **row)
        elif LEFT_OUT.match(line[:40]):
            document.skip(at)
        at = end


def _recognise(head: Head) -> float:
    lines = telling(head)
    if not any(_OLD.match(line[:600]) or _NEW.match(line[:600]) for line in lines[:20]):
        return 0.0
    known = sum(1 for line in lines if line[0].isspace() or _OLD.match(line[:600]) or _NEW.match(line[:600]))
    return 0.97 if known == len(lines) else 0.9 * known / len(lines)


READERS = (
    DocumentFormat(
        name="ifconfig",
        records=(HostInterface,),
        reference="net-tools 1.60 and 2.10, lib/interface.c; FreeBSD sbin/ifconfig",
        recognise=_recognise,
        read=_read,
    ),
)
