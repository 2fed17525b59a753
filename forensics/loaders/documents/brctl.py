"""Output of `brctl show`, `brctl showmacs` and `brctl showstp`."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import LEFT_OUT, NAME, bridge_id, mac_of, skip_left_out, subject, telling
from forensics.records import ForwardingEntry, HostInterface

_SHOW = re.compile(r"^\s*bridge name\s+bridge id\s+STP enabled\s+interfaces\s*$")
_BRIDGE = re.compile(
    rf"^(?P<name>{NAME})\s+(?P<id>[0-9A-Fa-f]{{4}}\.[0-9A-Fa-f]{{12}})\s+(?P<stp>yes|no)(?:\s+(?P<member>{NAME}))?\s*$"
)
_BROKEN = re.compile(rf"^(?P<name>{NAME})\s+(?P<error>can't get info .{{1,80}}|bridge .{{1,60}} does not exist!?)\s*$")
_MEMBER = re.compile(rf"^\s*(?P<member>{NAME})\s*$")
_MACS = re.compile(r"^\s*port no\s+mac addr\s+is local\?\s+ageing timer\s*$")
_MAC = re.compile(
    r"^\s*(?P<port>\d{1,5})\s+(?P<mac>[0-9A-Fa-f:]{17})\s+(?P<local>yes|no)\s+(?P<age>\d{1,12}\.\d{1,6})\s*$"
)
_STP_PORT = re.compile(rf"^(?P<name>{NAME}) \((?P<number>[0-9a-fx]{{1,6}})\)\s*$")
_STP_STATE = re.compile(r"^\s*port id\s+\S+\s+state\s+(?P<state>\w+)")
_STP_BRIDGE = re.compile(r"^\s*bridge id\s+(?P<id>[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{12})\s*$")
_BARE = re.compile(rf"^(?P<name>{NAME})\s*$")


def _show(document: Document) -> None:
    bridge = None
    for at, line in enumerate(document.lines):
        told = line[:300]
        if _SHOW.match(told) or LEFT_OUT.match(told):
            document.skip(at)
        elif found := _BRIDGE.match(told):
            bridge = found["name"]
            stp = found["stp"] == "yes"
            document.add(HostInterface, at, interface=bridge, kind="bridge", bridge_id=bridge_id(found["id"]), stp=stp)
            if found["member"]:
                document.add(HostInterface, at, interface=found["member"], master=bridge)
        elif found := _BROKEN.match(told):
            document.add(HostInterface, at, interface=found["name"], error=found["error"])
        elif bridge is not None and (found := _MEMBER.match(told)):
            document.add(HostInterface, at, interface=found["member"], master=bridge)


def _show_macs(document: Document) -> None:
    skip_left_out(document)
    bridge = subject(document.head.command, "brctl")
    for at, line in enumerate(document.lines):
        if _MACS.match(line[:300]):
            document.skip(at)
        elif found := _MAC.match(line[:300]):
            local, age = found["local"] == "yes", float(found["age"])
            document.add(
                ForwardingEntry, at, mac=mac_of(found["mac"]), interface=found["port"], bridge=bridge, is_local=local,
                kind="permanent" if local else "dynamic", age_s=age,
            )  # fmt: skip


def _show_stp(document: Document) -> None:
    skip_left_out(document)
    lines = [line[:300] for line in document.lines]
    bridge = None
    at = 0
    while at < len(lines):
        end = at + 1
        while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
            end += 1
        below = lines[at + 1 : end]
        if port := _STP_PORT.match(lines[at]):
            state = next((found["state"] for line in below if (found := _STP_STATE.match(line))), None)
            document.add(HostInterface, at, end - at, interface=port["name"], master=bridge, mode=state)
        elif (bare := _BARE.match(lines[at])) and (own := [f for line in below if (f := _STP_BRIDGE.match(line))]):
            bridge = bare["name"]
            identity = bridge_id(own[0]["id"])
            document.add(HostInterface, at, end - at, interface=bridge, kind="bridge", bridge_id=identity)
        else:
            end = at + 1
        at = end


def _is_show(head: Head) -> float:
    lines = telling(head, 8)
    if any(_SHOW.match(line[:300]) for line in lines):
        return 0.98 if _SHOW.match(lines[0][:300]) else 0.5
    return 0.9 if lines and all(_BRIDGE.match(line[:300]) or _MEMBER.match(line[:300]) for line in lines) and (
        _BRIDGE.match(lines[0][:300])
    ) else 0.0  # fmt: skip


def _is_show_macs(head: Head) -> float:
    return 0.98 if _MACS.match(head.first[:300]) else 0.0


def _is_show_stp(head: Head) -> float:
    lines = telling(head, 3)
    return 0.98 if len(lines) > 2 and _BARE.match(lines[0][:300]) and _STP_BRIDGE.match(lines[1][:300]) else 0.0


_REFERENCE = "bridge-utils 1.2 to 1.7, brctl/brctl_cmd.c, brctl_disp.c; busybox, networking/brctl.c"
READERS = (
    DocumentFormat("brctl-show", (HostInterface,), _REFERENCE, _is_show, _show),
    DocumentFormat("brctl-showmacs", (ForwardingEntry,), _REFERENCE, _is_show_macs, _show_macs, chunked=True),
    DocumentFormat("brctl-showstp", (HostInterface,), _REFERENCE, _is_show_stp, _show_stp),
)
