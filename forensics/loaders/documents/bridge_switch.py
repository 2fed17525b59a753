"""What switches print of addresses they have learned: `show mac address-table` of EOS, IOS and NX-OS."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import LEFT_OUT, mac_of, telling, whole
from forensics.records import ForwardingEntry

_HEAD = re.compile(r"^[\s*]{0,12}V(?:lan|LAN)\s+(?:Mac|MAC|mac) [Aa]ddress\s+[Tt]ype\b(?P<rest>.{0,200})$")
_TITLE = re.compile(
    r"^\s*(?:Unicast |Multicast )?Mac Address Table(?: Entries)?\s*$|^Ethernet-switching table: .{0,80}$|^[\s+|=-]*$",
    re.IGNORECASE,
)
_SONIC_HEAD = re.compile(r"^\s*No\.\s+Vlan\s+MacAddress\s+Port\s+Type\s*$")
_OTHER_ROW = re.compile(
    r"^\s{0,8}(?:\d{1,6}\s+(?P<vlan>\d{1,4})|[A-Za-z][\w.-]{0,63})\s+(?P<mac>(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})\s+"
    r"(?:(?P<port>[A-Za-z]\S*\d)\s+(?P<kind>Dynamic|Static)|(?P<learn>Learn|Static|Persistent)\s+\S+\s+(?P<on>\S+))\s*$"
)
"""Of SONiC, which counts them; and of Junos before ELS, whose VLANs have names."""
_FLOOD = re.compile(r"^\s{0,8}[\w.-]{1,64}\s+\*\s+Flood\s")
_LEGEND = re.compile(
    r"^Legend:|^\s{4,}\S.{0,120}(?: - |seconds since)|^Total Mac Addresses |^Note: MAC |^\s*[A-Z*~+] - |^Codes?:"
    r"|^Displaying |^Total number of entries |^Multicast Entries"
)
_ROW = re.compile(
    r"^\s{0,8}(?P<mark>[*+GC~ ]{0,6}?)\s{0,8}(?P<vlan>\d{1,4}|All|N/A|-+)\s+"
    r"(?P<mac>[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})\s+(?P<rest>\S.{0,300})$"
)
_PORT = re.compile(r"^(?:[A-Za-z][A-Za-z-]*\d[\w/.:,-]*|CPU|Cpu|Router|Switch|Drop|Rtr|cpu|sup-eth\S*|vPC|nve\S+)$")
_PROMPT = re.compile(r"^(?P<host>[\w.-]{1,64})(?:\([\w-]+\))?[#>]\s?sh(?:ow)?\b.{0,100}$")


def _read(document: Document) -> None:
    kept = document.state
    host, aged = kept.get("host", document.origin.host), kept.get("aged", False)
    for at, line in enumerate(document.lines):
        told = line[:600].rstrip()
        if found := _PROMPT.match(told):
            host = found["host"]
            document.skip(at)
        elif head := _HEAD.match(told):
            aged = "age" in head["rest"].split()
            document.skip(at)
        elif row := _ROW.match(told):
            words = row["rest"].split()
            ages = [whole(word) for word in words[1:] if word.isdecimal()]
            age = float(ages[0]) if aged and ages and ages[0] is not None else None
            ports = [word for word in words[1:] if _PORT.match(word)]
            document.add(
                ForwardingEntry, at, mac=mac_of(row["mac"]), vlan_id=whole(row["vlan"], 4095), bridge=host, host=host,
                interface=ports[0] if ports else None, kind=words[0].lower(), age_s=age,
                is_local="G" in row["mark"] or (ports[0].lower() in ("cpu", "switch", "router") if ports else None),
            )  # fmt: skip
        elif other := _OTHER_ROW.match(told):
            document.add(
                ForwardingEntry, at, mac=mac_of(other["mac"]), bridge=host,
                vlan_id=whole(other["vlan"], 4095) if other["vlan"] else None,
                host=host, interface=other["port"] or other["on"],
                kind=(other["kind"] or other["learn"]).lower(), is_local=other["on"] == "Router" or None,
            )  # fmt: skip
        elif (
            _SONIC_HEAD.match(told)
            or _FLOOD.match(told)
            or _TITLE.match(told)
            or _LEGEND.match(told)
            or LEFT_OUT.match(told[:40])
        ):
            document.skip(at)
    kept |= {"host": host, "aged": aged}


def _recognise(head: Head) -> float:
    for line in telling(head, 24):
        if _HEAD.match(line[:600]) or _SONIC_HEAD.match(line[:600]):
            return 0.98 if not _PROMPT.match(head.first[:300]) else 0.9
        if not (_TITLE.match(line[:600]) or _LEGEND.match(line[:600]) or _PROMPT.match(line[:300])):
            return 0.0
    return 0.0


READERS = (
    DocumentFormat(
        name="switch-mac-table",
        records=(ForwardingEntry,),
        reference="show mac address-table of Arista EOS 4, Cisco IOS 12 to 17, NX-OS 5 to 10, SONiC; Junos before ELS",
        recognise=_recognise,
        read=_read,
        chunked=True,
    ),
)
