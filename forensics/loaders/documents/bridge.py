"""Output of iproute2's `bridge link`, `bridge vlan` and `bridge fdb`."""

from __future__ import annotations

import re
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import (
    LEFT_OUT,
    NAME,
    after,
    ip_of,
    mac_of,
    skip_left_out,
    telling,
    vlans,
    whole,
)
from forensics.records import ForwardingEntry, HostInterface

_LINK = re.compile(
    rf"^\s{{0,4}}(?P<index>\d{{1,10}}): (?P<name>{NAME})(?:@(?P<parent>[^\s:]{{1,40}}))?(?: state (?P<up>[A-Z]+))?"
    r"(?: @(?P<parent_behind>[^\s:]{1,40}))?\s?: <(?P<flags>[^<>]{0,400})> (?P<rest>.{0,1000})$"
)
_PORT_STATE = re.compile(r"\bstate (?P<state>\w+)(?: priority (?P<priority>\d+))?")
_VLAN_HEAD = re.compile(r"^port\s+vlan(?: ids|-id)\s*$")
_VLAN = re.compile(
    rf"^(?P<port>{NAME})?\s+(?P<vid>\d{{1,4}}(?:-\d{{1,4}})?)(?P<pvid> PVID)?(?P<untagged> Egress Untagged)?\s*$"
)
_NO_VLAN = re.compile(rf"^{NAME}\s+None\s*$")
_FDB = re.compile(
    r"^(?P<mac>[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}) (?P<rest>(?:dev|vlan|dst|master|self|permanent) ?.*)$"
)


def _show_link(document: Document) -> None:
    at = 0
    while at < len(document.lines):
        end = at + 1
        if found := _LINK.match(document.lines[at][:2_000]):
            while end < len(document.lines) and document.lines[end].strip() and document.lines[end][0].isspace():
                end += 1
            document.add(HostInterface, at, end - at, **_port(found))
        elif LEFT_OUT.match(document.lines[at][:40]):
            document.skip(at)
        at = end


def _port(found: re.Match[str]) -> dict[str, Any]:
    words = found["rest"].split()
    flags = [flag for flag in found["flags"].split(",") if flag]
    parent = found["parent"] or found["parent_behind"]
    state = _PORT_STATE.search(found["rest"])
    return {
        "interface": found["name"], "index": whole(found["index"]), "parent": None if parent == "NONE" else parent,
        "state": found["up"], "flags": flags, "carrier": "LOWER_UP" in flags and "NO-CARRIER" not in flags,
        "mtu_bytes": whole(after(words, "mtu")), "master": after(words, "master"),
        "mode": state["state"] if state else None,
    }  # fmt: skip


def _show_vlan(document: Document) -> None:
    skip_left_out(document)
    open_: tuple[int, str, dict[str, Any]] | None = None
    last = 0

    def close() -> None:
        if open_ is not None:
            trunks = list(dict.fromkeys(open_[2]["trunks"])) or None
            row = {"vlan_id": open_[2]["vlan_id"], "trunks": trunks}
            document.add(HostInterface, open_[0], last - open_[0], interface=open_[1], **row)

    for at, line in enumerate(document.lines):
        told = line[:300]
        if _VLAN_HEAD.match(told) or _NO_VLAN.match(told):
            document.skip(at)
        elif found := _VLAN.match(told):
            if found["port"]:
                close()
                open_ = at, found["port"], {"vlan_id": None, "trunks": []}
            if open_ is None:
                continue
            if found["pvid"]:
                open_[2]["vlan_id"] = whole(found["vid"], 4095)
            if not found["untagged"]:
                open_[2]["trunks"] += vlans(found["vid"])
            last = at + 1
    close()


def _show_fdb(document: Document) -> None:
    skip_left_out(document)
    for at, line in enumerate(document.lines):
        if found := _FDB.match(line[:2_000]):
            document.add(ForwardingEntry, at, **_entry(found["mac"], found["rest"].split()))


def _entry(mac: str, words: list[str]) -> dict[str, Any]:
    used = (after(words, "used") or "").split("/")
    age = whole(used[1]) if len(used) == 2 else None
    bridge = after(words, "master")
    marks = [word for word in ("permanent", "static", "stale", "self") if word in words]
    return {
        "mac": mac_of(mac), "interface": after(words, "dev"), "vlan_id": whole(after(words, "vlan"), 4095),
        "bridge": bridge, "remote_ip": ip_of(after(words, "dst")), "kind": marks[0] if marks else "dynamic",
        "is_local": "permanent" in words if bridge else None, "age_s": None if age is None else float(age),
    }  # fmt: skip


def _is_link(head: Head) -> float:
    lines = telling(head, 20)
    found = [match for line in lines if (match := _LINK.match(line[:2_000]))]
    if not found or len(found) + sum(1 for line in lines if line[0].isspace()) < len(lines):
        return 0.0
    own = all((state := _PORT_STATE.search(one["rest"])) and (one["up"] or state["priority"]) for one in found)
    return 0.98 if own else 0.0


def _is_vlan(head: Head) -> float:
    return 0.98 if _VLAN_HEAD.match(head.first[:300]) else 0.0


def _is_fdb(head: Head) -> float:
    lines = telling(head, 20)
    return 0.97 if lines and sum(1 for line in lines if _FDB.match(line[:2_000])) > 0.8 * len(lines) else 0.0


_REFERENCE = "iproute2 3.5 to 6.x, bridge/{}.c"
READERS = (
    DocumentFormat("bridge-link", (HostInterface,), _REFERENCE.format("link"), _is_link, _show_link),
    DocumentFormat("bridge-vlan", (HostInterface,), _REFERENCE.format("vlan"), _is_vlan, _show_vlan),
    DocumentFormat("bridge-fdb", (ForwardingEntry,), _REFERENCE.format("fdb"), _is_fdb, _show_fdb, chunked=True),
)
