"""Files of `/proc/net/vlan`: VLAN devices, their ids, and what they lie on, in the kernel's own words."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import NAME, skip_left_out, telling, whole
from forensics.records import HostInterface

_HEAD = re.compile(r"^VLAN Dev name\s*\|\s*VLAN ID\s*$")
_NAME_TYPE = re.compile(r"^Name-Type:\s*\S+(?:\s+bad_proto_recvd: \d+)?\s*$")
_ROW = re.compile(rf"^\s*(?P<name>{NAME})\s*\|\s*(?P<vid>\d{{1,4}})\s*\|\s*(?P<parent>{NAME})\s*$")
_DEVICE = re.compile(
    rf"^(?P<name>{NAME})\s+VID:\s*(?P<vid>\d{{1,4}})\s+REORDER_HDR:\s*\d+\s+dev->priv_flags:\s*[0-9a-fx]+\s*$"
)
_PARENT = re.compile(rf"^Device:\s*(?P<parent>{NAME})\s*$")
_DETAIL = re.compile(
    r"^\s*(?:total (?:frames|bytes) (?:received|transmitted)|Broadcast/Multicast Rcvd|total headroom inc"
    r"|total encap on xmit|(?:IN|E)GRESS priority mappings:)"
)


def _config(document: Document) -> None:
    skip_left_out(document)
    for at, line in enumerate(document.lines):
        told = line[:300]
        if _HEAD.match(told) or _NAME_TYPE.match(told):
            document.skip(at)
        elif found := _ROW.match(told):
            row = {"interface": found["name"], "parent": found["parent"], "vlan_id": whole(found["vid"], 4095)}
            document.add(HostInterface, at, kind="vlan", **row)


def _device(document: Document) -> None:
    skip_left_out(document)
    lines = [line[:300] for line in document.lines]
    at = 0
    while at < len(lines):
        end = at + 1
        if found := _DEVICE.match(lines[at]):
            parent = None
            while end < len(lines) and (_DETAIL.match(lines[end]) or _PARENT.match(lines[end])):
                below = _PARENT.match(lines[end])
                parent = below["parent"] if below else parent
                end += 1
                if end + 1 < len(lines) and not lines[end].strip() and _DETAIL.match(lines[end + 1]):
                    end += 1
            vid = whole(found["vid"], 4095)
            document.add(HostInterface, at, end - at, interface=found["name"], parent=parent, vlan_id=vid, kind="vlan")
        at = end


def _is_config(head: Head) -> float:
    lines = telling(head, 5)
    if lines and _HEAD.match(lines[0][:300]):
        return 0.99
    return 0.9 if lines and all(_ROW.match(line[:300]) for line in lines) else 0.0


def _is_device(head: Head) -> float:
    return 0.99 if _DEVICE.match(head.first[:300]) else 0.0


_REFERENCE = "Linux 2.6 to 6.x, net/8021q/vlanproc.c"
READERS = (
    DocumentFormat("proc-vlan-config", (HostInterface,), _REFERENCE, _is_config, _config),
    DocumentFormat("proc-vlan-device", (HostInterface,), _REFERENCE, _is_device, _device),
)
