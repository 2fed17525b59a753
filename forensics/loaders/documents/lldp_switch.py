"""What switches print of their neighbours: `show lldp neighbors` of EOS, IOS and NX-OS, one line a neighbour."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import LEFT_OUT, mac_of, telling, whole
from forensics.records import LldpNeighbour

_EOS = re.compile(r"^Port\s+Neighbor Device ID\s+Neighbor Port ID\s+TTL\s*$")
_CISCO = re.compile(r"^Device ID\s+Local Intf\s+Hold-time\s+Capability\s+Port ID\s*$")
_FRAME = re.compile(
    r"^[\s-]*$|^(?:Last table change time|Number of table (?:inserts|deletes|drops|age-outs))\s*:|^Capability codes:"
    r"|^\s+\([A-Z]\) |^Total entries displayed:"
)
_EOS_ROW = re.compile(r"^(?P<own>[A-Za-z]{1,12}\d[\w/.]*)\s+(?P<name>\S.*?)\s+(?P<port>\S+)\s+(?P<ttl>\d{1,6})$")
_CISCO_ROW = re.compile(
    r"^(?P<name>\S{1,80}?)\s+(?P<own>[A-Za-z-]{2,18}\s?\d[\w/.]*|mgmt\d)\s+(?P<ttl>\d{1,6})\s+"
    r"(?:(?P<able>[A-Z](?:,\s?[A-Z])*)\s+)?(?P<port>\S.*)$"
)
_LONG_NAME = re.compile(r"^(?P<name>\S{10,80})\s*$")
_CISCO_REST = re.compile(
    r"^\s+(?P<own>[A-Za-z-]{2,18}\d[\w/.]*)\s+(?P<ttl>\d{1,6})\s+(?:(?P<able>[A-Z](?:,\s?[A-Z])*)\s+)?(?P<port>\S.*)$"
)
_PROMPT = re.compile(r"^(?P<host>[\w.-]{1,64})(?:\([\w-]+\))?[#>]\s?sh(?:ow)?\b.{0,100}$")


def _read(document: Document) -> None:
    host, row_form, above = document.origin.host, None, None
    for at, line in enumerate(document.lines):
        told = line[:300].rstrip()
        found = row_form.match(told) if row_form else None
        rest = _CISCO_REST.match(told) if above is not None else None
        if prompt := _PROMPT.match(told):
            host = prompt["host"]
            document.skip(at)
        elif _EOS.match(told) or _CISCO.match(told):
            row_form = _EOS_ROW if _EOS.match(told) else _CISCO_ROW
            document.skip(at)
        elif _FRAME.match(told) or LEFT_OUT.match(told[:40]):
            document.skip(at)
        elif found or (rest and above is not None):
            first, name = above if rest and above is not None else (at, "")
            parts = (rest or found).groupdict()
            able = parts.get("able")
            document.add(
                LldpNeighbour, first, at - first + 1, host=host, interface=parts["own"].replace(" ", ""),
                system_name=name or parts["name"], port_id=mac_of(parts["port"]) or parts["port"],
                ttl_s=float(whole(parts["ttl"]) or 0), capabilities=re.findall("[A-Z]", able) if able else None,
            )  # fmt: skip
        above = (at, told.strip()) if row_form is _CISCO_ROW and not found and _LONG_NAME.match(told) else None


def _recognise(head: Head) -> float:
    for line in telling(head, 24):
        told = line[:300].rstrip()
        if _EOS.match(told) or _CISCO.match(told):
            return 0.98 if not _PROMPT.match(head.first[:300]) else 0.9
        if not (_FRAME.match(told) or _PROMPT.match(told)):
            return 0.0
    return 0.0


READERS = (
    DocumentFormat(
        name="switch-lldp",
        records=(LldpNeighbour,),
        reference="show lldp neighbors of Arista EOS 4, Cisco IOS 12 to 17, NX-OS 5 to 10",
        recognise=_recognise,
        read=_read,
    ),
)
