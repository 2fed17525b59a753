"""Output of `ovs-vsctl show` and `ovs-appctl fdb/show`."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import mac_of, skip_left_out, subject, telling, vlans, whole
from forensics.loaders.documents._ovs import interface_row, pairs
from forensics.records import ForwardingEntry, HostInterface

_UUID = re.compile(r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$")
_NODE = re.compile(r'^\s{1,40}(?P<what>Bridge|Port|Interface|Manager|Controller) "?(?P<name>[^"\s]{1,80})"?$')
_FACT = re.compile(r"^\s{1,40}(?P<key>[a-z_]{2,30}): (?P<value>.*)$")
_FDB_HEAD = re.compile(r"^\s*port\s+VLAN\s+MAC\s+Age\s*$")
_FDB = re.compile(
    r"^\s*(?P<port>\d{1,6}|LOCAL|[^\s:]{1,40})\s+(?P<vlan>\d{1,4})\s+(?P<mac>[0-9A-Fa-f:]{17})"
    r"\s+(?P<age>\d{1,9}|static|-)\s*$"
)


class _Tree:
    """Where in the tree a line stands: bridges hold ports, ports hold interfaces."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.bridge: str | None = None
        self.port: tuple[int, str, dict[str, str], list[tuple[int, str, dict[str, str], int]]] | None = None
        self.facts: dict[str, str] | None = None
        self.last = 0

    def close(self) -> None:
        """The port is complete."""
        if self.port is None:
            return
        line, name, facts, interfaces = self.port
        own = {"vlan_id": whole(facts.get("tag"), 4095), "trunks": vlans(facts.get("trunks", "")) or None}
        if len(interfaces) > 1:
            self.document.add(
                HostInterface, line, interfaces[0][0] - line, interface=name, kind="bond", master=self.bridge, **own
            )
        for at, interface, said, end in interfaces:
            alone = len(interfaces) == 1
            row = interface_row(said.get("type", ""), pairs(said.get("options", "")))
            first = line if alone else at
            self.document.add(
                HostInterface, first, end - first, interface=interface, master=self.bridge if alone else name,
                **row, **(own if alone else {}), error=said.get("error", "").strip('"') or None,
            )  # fmt: skip
        self.port = None


def _show(document: Document) -> None:
    skip_left_out(document)
    tree = _Tree(document)
    for at, line in enumerate(document.lines):
        told = line[:3_000].rstrip()
        if found := _NODE.match(told):
            what, name = found["what"], found["name"]
            if what != "Interface":
                tree.close()
            tree.facts = {}
            if what == "Bridge":
                tree.bridge = name
                document.add(HostInterface, at, interface=name, kind="bridge")
            elif what == "Port":
                tree.port = (at, name, tree.facts, [])
                document.skip(at)
            elif what == "Interface" and tree.port is not None:
                tree.port[3].append((at, name, tree.facts, at + 1))
            else:
                document.skip(at)
        elif fact := _FACT.match(told):
            if fact["key"] == "ovs_version":
                tree.close()
            if tree.facts is not None:
                tree.facts.setdefault(fact["key"], fact["value"])
            document.skip(at)
            if tree.port is not None and tree.port[3]:
                last = tree.port[3][-1]
                tree.port[3][-1] = (*last[:3], at + 1)
        elif _UUID.match(told):
            tree.close()
            tree.bridge = tree.facts = None
            document.skip(at)
    tree.close()


def _show_fdb(document: Document) -> None:
    skip_left_out(document)
    bridge = subject(document.head.command, "ovs-appctl")
    for at, line in enumerate(document.lines):
        if _FDB_HEAD.match(line[:200]):
            document.skip(at)
        elif found := _FDB.match(line[:200]):
            age = whole(found["age"])
            own = {"interface": found["port"], "bridge": None if bridge == "fdb/show" else bridge}
            document.add(
                ForwardingEntry, at, **own, mac=mac_of(found["mac"]), vlan_id=whole(found["vlan"], 4095),
                kind="dynamic" if age is not None else "static", age_s=None if age is None else float(age),
                is_local=found["port"] == "LOCAL",
            )  # fmt: skip


def _is_show(head: Head) -> float:
    lines = telling(head, 40)
    whats = {found["what"] for line in lines if (found := _NODE.match(line[:300].rstrip()))}
    if not whats & {"Bridge", "Port"}:
        return 0.0
    known = sum(
        1 for line in lines if _NODE.match(line[:300].rstrip()) or _FACT.match(line[:3_000]) or _UUID.match(line[:60])
    )
    return 0.98 if known == len(lines) else 0.9 * known / len(lines)


def _is_fdb(head: Head) -> float:
    return 0.98 if _FDB_HEAD.match(head.first[:200]) else 0.0


_REFERENCE = "Open vSwitch 1.4 to 3.x, {}"
READERS = (
    DocumentFormat("ovs-vsctl-show", (HostInterface,), _REFERENCE.format("utilities/ovs-vsctl.c"), _is_show, _show),
    DocumentFormat(
        "ovs-fdb", (ForwardingEntry,), _REFERENCE.format("ofproto/ofproto-dpif.c"), _is_fdb, _show_fdb, chunked=True
    ),
)
