"""Files of `/proc/net/bonding`: a bond and its members, in every mode."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import BOND_MODES, mac_of, skip_left_out, subject, telling, whole
from forensics.records import HostInterface

_FIRST = re.compile(r"^Ethernet Channel Bonding Driver:")
_FACT = re.compile(r"^\s{0,8}(?P<key>[A-Za-z0-9][^:]{1,80}?)\s?:(?:\s{0,20}(?P<value>\S.*))?$")
_HEADING = re.compile(r"^\s*(?:802\.3ad info|details (?:actor|partner) lacp pdu:)\s*$")
_FILE = re.compile(
    r"(?:^|[/\s])(?:proc/net/)?bonding/(?P<name>[^\s/]{1,40})(?=\s|$)|(?:^|/)(?P<bare>bond[\w.-]{1,30}?)(?:\.txt)?$"
)
_NAMED = re.compile(r"^(?:==> )?(?:/\S{0,80}/)?(?:proc/net/)?bonding/(?P<name>[^\s/:]{1,40}):?(?: <==)?$")
_SPEED = re.compile(r"^(?P<mbps>\d{1,7}) Mbps$")
UNNAMED = "?"
"""Name of a bond that neither the file's name nor a heading tells; the file itself never does."""


def _bond(facts: dict[str, str], name: str) -> dict[str, Any]:
    mode = facts.get("Bonding Mode", "")
    if " (fail_over_mac" in mode:
        mode = mode.partition(" (fail_over_mac")[0]
    return {
        "interface": name, "kind": "bond", "mode": BOND_MODES.get(mode, mode) or None, "carrier": _up(facts),
        "aggregator": whole(facts.get("Aggregator ID")), "partner_mac": mac_of(facts.get("Partner Mac Address")),
        "mac": mac_of(facts.get("System MAC address")),
    }  # fmt: skip


def _up(facts: dict[str, str]) -> bool | None:
    status = facts.get("MII Status")
    return None if status is None else status in ("up", "going down")


def _member(facts: dict[str, str], bond: str) -> dict[str, Any]:
    speed = _SPEED.match(facts.get("Speed", ""))
    duplex = facts.get("Duplex", "").lower()
    return {
        "interface": facts["Slave Interface"], "master": bond, "carrier": _up(facts),
        "speed_mbps": whole(speed["mbps"]) if speed else None, "duplex": duplex if duplex in ("full", "half") else None,
        "link_failures": whole(facts.get("Link Failure Count")),
        "permanent_mac": mac_of(facts.get("Permanent HW addr")),
        "aggregator": whole(facts.get("Aggregator ID")), "partner_mac": mac_of(facts.get("partner system mac address")),
    }  # fmt: skip


def _read(document: Document) -> None:
    skip_left_out(document)
    said = document.head.command or document.head.name
    found = _FILE.search(said.removeprefix("$ ")[-200:])
    name = (found["name"] or found["bare"]) if found else subject(document.head.command, "bonding") or UNNAMED
    name = UNNAMED if "*" in name else name
    block: tuple[int, dict[str, str]] | None = None
    end, part = 0, ""

    def close() -> None:
        if block is not None:
            member = "Slave Interface" in block[1]
            row = _member(block[1], name) if member else _bond(block[1], name)
            document.add(HostInterface, block[0], end - block[0], **row)

    for at, line in enumerate(document.lines):
        told = line[:600].rstrip()
        if heading := _NAMED.match(told):
            close()
            block, name = None, heading["name"]
            document.skip(at)
        elif _FIRST.match(told):
            close()
            block, end, part = (at, {}), at + 1, ""
        elif block is not None and _HEADING.match(told):
            part = "partner " if "partner" in told else "actor " if "actor" in told else ""
            end = at + 1
        elif (fact := _FACT.match(told)) and (block is not None or fact["key"] == "Slave Interface"):
            if block is None or fact["key"] == "Slave Interface":
                close()
                block, part = (at, {}), ""
            block[1].setdefault((part if told[:1].isspace() else "") + fact["key"], fact["value"] or "")
            end = at + 1
    close()


def _recognise(head: Head) -> float:
    lines = telling(head, 3)
    if any(_FIRST.match(line[:200]) for line in lines[:2]):
        return 0.99 if _FIRST.match(lines[0][:200]) or _NAMED.match(lines[0][:200]) else 0.6
    # what was searched for or left of a file that the name or command tells
    named = _FILE.search((head.command or head.name).removeprefix("$ ")[-200:])
    return 0.95 if named and lines and lines[0].startswith("Slave Interface: ") else 0.0


READERS = (
    DocumentFormat(
        name="bonding",
        records=(HostInterface,),
        reference="Linux 2.6 to 6.x, drivers/net/bonding/bond_procfs.c",
        recognise=_recognise,
        read=_read,
    ),
)
