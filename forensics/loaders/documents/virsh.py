"""Tables of `virsh`: list, domiflist, domblklist, domifaddr, net-dhcp-leases, and what `virsh dominfo` says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import ip_of, mac_of, skip_left_out, subject, telling, whole
from forensics.loaders.documents._places import owners
from forensics.records import DiskImage, Instance, InstancePort, Record

_RULE = re.compile(r"^-{10,}\s*$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBERED = re.compile(r"instance-(?P<id>[0-9a-f]{8})")
_LISTED = re.compile(
    r"^\s*(?P<id>\d{1,9}|-)\s+(?P<name>\S.*?)\s+"
    r"(?P<state>running|idle|paused|in shutdown|shut off|crashed|dying|pmsuspended|no state|blocked)$"
)
_FACT = re.compile(
    r"^(?P<key>Id|Name|UUID|OS Type|State|CPU\(s\)|CPU time|Max memory|Used memory|Persistent|Autostart|Managed save"
    r"|Security model|Security DOI|Security label|Messages):\s+(?P<value>\S.*)$"
)
_ADDRESS = re.compile(r"^(?P<name>\S+)\s+(?P<mac>[0-9A-Fa-f:]{17})\s+(?P<protocol>ipv[46])\s+(?P<ip>\S+)$")
_LEASE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+(?P<mac>[0-9A-Fa-f:]{17})\s+ipv[46]\s+(?P<ip>\S+)\s+(?P<name>\S+)\s+\S+$"
)

Row = Callable[[str, Document], dict[str, Any] | None]


def _domain(document: Document) -> dict[str, Any]:
    """The domain that a command asked about, by name or uuid."""
    command = document.head.command or ""
    uuid = _UUID.search(command[:4_000])
    if uuid:
        return {"instance": uuid[0].lower()}
    name = subject(re.sub(r"\s--\w+$", "", command), "virsh")
    return {"instance_name": name} if name and not name.startswith(("dom", "list")) else {}


def _named(name: str) -> dict[str, Any]:
    numbered = _NUMBERED.fullmatch(name)
    return {"instance_name": name, "instance_id": int(numbered["id"], 16) if numbered else None}


def _instance(line: str, document: Document) -> dict[str, Any] | None:
    found = _LISTED.match(line[:300])
    if found is None:
        return None
    return {**_named(found["name"]), "power_state": found["state"], "compute_host": document.origin.host}


def _interface(line: str, document: Document) -> dict[str, Any] | None:
    words = line.split()
    if len(words) != 5 or mac_of(words[4]) is None:
        return None
    source = None if words[2] == "-" else words[2]
    return {
        **_domain(document), "tap": None if words[0] == "-" else words[0], "mac": mac_of(words[4]),
        "network" if words[1] == "network" else "bridge": source, "compute_host": document.origin.host,
    }  # fmt: skip


def _disk(line: str, document: Document) -> dict[str, Any] | None:
    words = line.split(None, 1)
    detailed = line.split(None, 3)
    if len(detailed) == 4 and detailed[1] in ("disk", "cdrom", "floppy", "lun"):
        words = detailed[2:]
    if len(words) != 2:
        return None
    path = None if words[1] == "-" else words[1]
    told = owners(path) if path else {}
    told.pop("image_hash", None)
    return {**told, **_domain(document), "device": words[0], "path": path}


def _address(line: str, document: Document) -> dict[str, Any] | None:
    found = _ADDRESS.match(line)
    if found is None:
        return None
    row = {"tap": found["name"], "mac": mac_of(found["mac"]), "ip": ip_of(found["ip"])}
    return {**_domain(document), **row, "compute_host": document.origin.host}


def _lease(line: str, document: Document) -> dict[str, Any] | None:
    found = _LEASE.match(line)
    if found is None:
        return None
    network = subject(document.head.command, "virsh")
    row = {"mac": mac_of(found["mac"]), "ip": ip_of(found["ip"]), "state": "leased"}
    return {**row, "network": None if network == "net-dhcp-leases" else network}


def _table(name: str, record: type[Record], heading: str, row: Row) -> DocumentFormat:
    """A table with a heading, a rule below, and one line a row."""
    head = re.compile(rf"^\s*{heading}$")

    def read(document: Document) -> None:
        skip_left_out(document)
        for at, line in enumerate(document.lines):
            told = line[:8_000].strip()
            if head.match(told) or _RULE.match(told):
                document.skip(at)
            elif told and (found := row(told, document)):
                document.add(record, at, **found)

    def recognise(begin: Head) -> float:
        lines = telling(begin, 2)
        if not lines or not head.match(lines[0][:300].strip()):
            return 0.0
        return 0.98 if len(lines) == 1 or _RULE.match(lines[1][:300].strip()) else 0.0

    return DocumentFormat(
        name, (record,), "libvirt 0.7 to 11, tools/virsh-{domain,domain-monitor,network}.c", recognise, read
    )


def _info(document: Document) -> None:
    skip_left_out(document)
    facts: dict[str, str] = {}
    first = last = 0

    def close() -> None:
        if "Name" in facts:
            uuid = _UUID.fullmatch(facts.get("UUID", ""))
            memory = facts.get("Max memory", "").removesuffix(" KiB").removesuffix(" kB")
            held = whole(memory, 10**15)
            document.add(
                Instance, first, last - first + 1, **_named(facts["Name"]), instance=uuid[0].lower() if uuid else None,
                power_state=facts.get("State"), vcpus=whole(facts.get("CPU(s)")), compute_host=document.origin.host,
                memory_mb=None if held is None else held >> 10,
            )  # fmt: skip

    for at, line in enumerate(document.lines):
        found = _FACT.match(line[:600].rstrip())
        if found is None:
            continue
        if found["key"] in facts:
            close()
            facts = {}
        first, last = at if not facts else first, at
        facts[found["key"]] = found["value"]
    close()


def _is_info(head: Head) -> float:
    lines = telling(head, 6)
    keys = [found["key"] for line in lines if (found := _FACT.match(line[:600].rstrip()))]
    return 0.97 if keys[:3] == ["Id", "Name", "UUID"] else 0.0


READERS = (
    _table("virsh-list", Instance, r"Id\s+Name\s+State", _instance),
    _table("virsh-domiflist", InstancePort, r"Interface\s+Type\s+Source\s+Model\s+MAC", _interface),
    _table("virsh-domblklist", DiskImage, r"(?:Type\s+Device\s+)?Target\s+Source", _disk),
    _table("virsh-domifaddr", InstancePort, r"Name\s+MAC address\s+Protocol\s+Address", _address),
    _table(
        "virsh-net-dhcp-leases", InstancePort,
        r"Expiry Time\s+MAC address\s+Protocol\s+IP address\s+Hostname\s+Client ID or DUID", _lease,
    ),
    DocumentFormat("virsh-dominfo", (Instance,), "libvirt 0.7 to 11, tools/virsh-domain-monitor.c", _is_info, _info),
)  # fmt: skip
