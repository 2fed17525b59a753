"""Output of `lldpctl`, `lldpcli show neighbors` and `lldptool -t -n`: who is at the other end of a host's cables."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._lldp import UNNAMED_INTERFACE, age_ns, neighbour
from forensics.loaders.documents._network import skip_left_out, telling
from forensics.records import LldpNeighbour

_RULE = re.compile(r"^-{10,}\s*$")
_TITLE = re.compile(r"^LLDP (?:neighbors|interfaces|local chassis):?\s*$")
_INTERFACE = re.compile(
    r"^Interface:\s+(?P<name>[^\s,]{1,40})(?:, via: [\w-]+)?(?:, RID: \d+)?(?:, Time: (?P<age>[\w ,:]{1,60}))?$"
)
_FACT = re.compile(r"^(?P<indent>\s{2,12})(?P<key>[A-Za-z][\w /.-]{0,40}?):(?:\s+(?P<value>\S.*))?$")
_KEYVALUE = re.compile(
    r"^lldp\.(?P<name>[^\s=]{1,40}?)\.(?P<key>(?:chassis|port|vlan|via|rid|age|lldp-med|unknown-tlvs|ppvid|pi)\b"
    r"[^=]{0,80})=(?P<value>.*)$"
)
_TLV = re.compile(r"^(?P<name>[A-Z][\w /().-]{2,60}) TLV\s*$")


def _text(document: Document) -> None:
    block: tuple[int, re.Match[str], dict[str, list[str]]] | None = None
    end, part, key, width = 0, "", "", 0

    def close() -> None:
        if block is not None:
            said = block[2]
            row = neighbour(said, age_ns(block[1]["age"]), document.taken()[0])
            document.add(LldpNeighbour, block[0], end - block[0], interface=block[1]["name"], **row)

    skip_left_out(document)
    for at, line in enumerate(document.lines):
        told = line[:4_000].rstrip()
        if _RULE.match(told) or _TITLE.match(told):
            close()
            block = None
            document.skip(at)
        elif found := _INTERFACE.match(told):
            close()
            block, end, part, key = (at, found, {}), at + 1, "", ""
        elif block is not None and told[:1].isspace() and told.strip():
            end = at + 1
            fact = _FACT.match(told)
            if fact and (not key or len(fact["indent"]) < width):
                value = fact["value"] or ""
                if len(fact["indent"]) == 2:
                    part = fact["key"].lower()
                key = f"{part} {fact['key'].lower()}"
                width = fact.start("value") if value else 99
                block[2].setdefault(key, []).append(value)
            elif key and block[2].get(key):  # a description of several lines
                block[2][key][-1] = f"{block[2][key][-1]}\n{told.strip()}"[:10_000]
    close()


def _keyvalue(document: Document) -> None:
    skip_left_out(document)
    block: tuple[int, str, dict[str, list[str]]] | None = None
    end, open_ = 0, ""

    def close() -> None:
        if block is not None:
            age = age_ns(next(iter(block[2].get("age", [])), None))
            row = neighbour(_of_keys(block[2]), age, document.taken()[0])
            document.add(LldpNeighbour, block[0], end - block[0], interface=block[1], **row)

    for at, line in enumerate(document.lines):
        found = _KEYVALUE.match(line[:4_000])
        if found:
            # each neighbour begins with `via`
            if block is None or found["name"] != block[1] or (found["key"] == "via" and "via" in block[2]):
                close()
                block = at, found["name"], {}
            open_ = found["key"]
            block[2].setdefault(open_, []).append(found["value"])
            end = at + 1
        elif block is not None and line.strip() and not line.startswith("lldp.") and end == at and "descr" in open_:
            block[2][open_][-1] = f"{block[2][open_][-1]}\n{line.strip()}"[:10_000]
            end = at + 1
    close()


def _of_keys(said: dict[str, list[str]]) -> dict[str, list[str]]:
    """Keys of ``-f keyvalue`` in the words of the text form."""
    found: dict[str, list[str]] = {}
    names = {
        "chassis.name": "chassis sysname", "chassis.descr": "chassis sysdescr", "chassis.mgmt-ip": "chassis mgmtip",
        "port.descr": "port portdescr", "port.mfs": "port mfs", "chassis.ttl": "chassis ttl", "port.ttl": "port ttl",
    }  # fmt: skip
    for key, values in said.items():
        part, _, rest = key.partition(".")
        if key in names:
            found[names[key]] = values
        elif part == "chassis" and rest in ("mac", "ifname", "local", "ip", "ifalias"):
            found["chassis chassisid"] = [f"{rest} {values[0]}"]
        elif part == "port" and rest in ("mac", "ifname", "local", "ip", "ifalias"):
            found["port portid"] = [f"{rest} {values[0]}"]
        elif part == "chassis" and rest.endswith(".enabled"):
            found.setdefault("chassis capability", []).append(f"{rest.removesuffix('.enabled')}, {values[0]}")
    pvids = said.get("vlan.pvid", [])
    for place, vid in enumerate(said.get("vlan.vlan-id", [])):
        told = pvids[place] if place < len(pvids) else "no"
        found.setdefault("vlan vlan", []).append(f"{vid}, pvid: {told}")
    return found


_NAMES = {
    "Chassis ID": "chassis chassisid", "Port ID": "port portid", "Time to Live": "port ttl",
    "Port Description": "port portdescr", "System Name": "chassis sysname", "System Description": "chassis sysdescr",
    "Management Address": "chassis mgmtip", "System Capabilities": "capabilities", "Port VLAN ID": "pvid",
    "Maximum Frame Size": "port mfs",
}  # fmt: skip


def _tool(document: Document) -> None:
    skip_left_out(document)
    words = (document.head.command or "").split()
    interface = words[words.index("-i") + 1] if "-i" in words[:-1] else UNNAMED_INTERFACE
    said: dict[str, list[str]] = {}
    first, end, key = 0, 0, ""

    def close() -> None:
        if said:
            document.add(
                LldpNeighbour, first, end - first, interface=interface, **neighbour(_of_tlvs(said), None, None)
            )

    for at, line in enumerate(document.lines):
        told = line[:4_000]
        if found := _TLV.match(told):
            key = _NAMES.get(found["name"], "")
            if found["name"] == "Chassis ID":
                close()
                said, first = {}, at
            if key:
                said.setdefault(key, [])
            end = at + 1
            document.skip(at)
            if found["name"] == "End of LLDPDU":
                close()
                said, key = {}, ""
        elif told[:1].isspace() and told.strip() and end == at:
            if key:
                said[key].append(told.strip())
            end = at + 1
    close()


def _of_tlvs(said: dict[str, list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = dict(said)
    for key in ("chassis chassisid", "port portid"):
        kinds = {"MAC": "mac", "Ifname": "ifname", "Local": "local", "IPv4": "ip", "IPv6": "ip"}
        kind, _, value = (said.get(key) or [""])[0].partition(": ")
        found[key] = [f"{kinds.get(kind, 'local')} {value or kind}"]
    found["chassis mgmtip"] = [one.partition(": ")[2] for one in said.get("chassis mgmtip", []) if one.startswith("IP")]
    enabled = [one for one in said.get("capabilities", []) if one.startswith("Enabled")]
    names = [one.strip() for line in enabled for one in line.partition(":")[2].split(",")]
    found["chassis capability"] = [f"{name}, on" for name in names if name]
    found["vlan vlan"] = [f"{one.partition(': ')[2]}, pvid: yes" for one in said.get("pvid", [])]
    found["chassis sysdescr"] = ["\n".join(said["chassis sysdescr"])] if said.get("chassis sysdescr") else []
    return found


def _is_text(head: Head) -> float:
    lines = telling(head, 6)
    if any(_INTERFACE.match(line[:300]) and "via:" in line for line in lines):
        return 0.98
    return 0.9 if len(lines) > 1 and _RULE.match(lines[0][:300]) and _TITLE.match(lines[1][:300]) else 0.0


def _is_keyvalue(head: Head) -> float:
    return 0.98 if _KEYVALUE.match(head.first[:600]) else 0.0


def _is_tool(head: Head) -> float:
    lines = telling(head, 4)
    return 0.97 if lines and _TLV.match(lines[0][:100]) and any(line.startswith("\t") for line in lines) else 0.0


_REFERENCE = "lldpd 0.5 to 1.0, src/client/{}"
READERS = (
    DocumentFormat("lldpctl", (LldpNeighbour,), _REFERENCE.format("text_writer.c"), _is_text, _text),
    DocumentFormat("lldpctl-keyvalue", (LldpNeighbour,), _REFERENCE.format("kv_writer.c"), _is_keyvalue, _keyvalue),
    DocumentFormat("lldptool", (LldpNeighbour,), "lldpad 0.9 to 1.1, lldptool.c, lldp_*_clif.c", _is_tool, _tool),
)
