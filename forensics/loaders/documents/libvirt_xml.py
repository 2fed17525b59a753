"""Domains of libvirt as XML: `virsh dumpxml`, `/etc/libvirt/qemu/*.xml`, `libvirt.xml` of an instance's folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import ip_of, mac_of, whole
from forensics.loaders.documents._places import owners
from forensics.loaders.documents._trees import Element, elements
from forensics.records import DiskImage, Instance, InstancePort

_OPEN = re.compile(r"<(?:domain|domstatus)(?=[\s>])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBERED = re.compile(r"instance-(?P<id>[0-9a-f]{8})")
_UNITS = {"b": 1, "bytes": 1, "KB": 1000, "K": 1024, "k": 1024, "KiB": 1024, "MB": 10**6, "M": 1 << 20, "MiB": 1 << 20,
          "GB": 10**9, "G": 1 << 30, "GiB": 1 << 30}  # fmt: skip
_DEEPEST_CHAIN = 32


def _uuid(said: str | None) -> str | None:
    return said.lower() if said and _UUID.fullmatch(said) else None


def _instance(domain: Element, document: Document) -> dict[str, Any]:
    nova = ("metadata", "instance")
    name, image = domain.said("name"), None
    root = domain.first(*nova, "root")
    if root is not None and root.attributes.get("type") == "image":
        image = _uuid(root.attributes.get("uuid"))
    numbered = _NUMBERED.fullmatch(name or "")
    memory = domain.first("memory")
    unit = _UNITS.get(memory.attributes.get("unit", "KiB")) if memory else None
    held = whole(memory.text.strip(), 10**15) if memory else None
    return {
        "instance": _uuid(domain.said("uuid")),
        "instance_id": int(numbered["id"], 16) if numbered else None,
        "instance_name": name,
        "display_name": domain.said(*nova, "name"),
        "compute_host": document.origin.host,
        "user_id": domain.attribute("uuid", *nova, "owner", "user"),
        "project_id": domain.attribute("uuid", *nova, "owner", "project"),
        "image": image,
        "image_hash": hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest() if image else None,
        "flavor": domain.attribute("name", *nova, "flavor"),
        "memory_mb": held * unit >> 20 if held is not None and unit else None,
        "vcpus": whole(domain.said("vcpu")),
        "root_gb": whole(domain.said(*nova, "flavor", "disk")),
        "ephemeral_gb": whole(domain.said(*nova, "flavor", "ephemeral")),
    }


def _source(element: Element | None) -> str | None:
    """Where a disk or an interface is, in whichever of libvirt's words."""
    found = element.attributes if element else {}
    if found.get("protocol") and found.get("name"):
        return f"{found['protocol']}:{found['name']}"
    if found.get("pool") and found.get("volume"):
        return f"{found['pool']}/{found['volume']}"
    return next((found[key] for key in ("file", "dev", "dir", "name") if found.get(key)), None)


def _disks(disk: Element) -> Iterator[dict[str, Any]]:
    """One row for the disk, and one for each file that it is backed by and that is backed itself."""
    device, kind = disk.attribute("dev", "target"), disk.attribute("type", "driver")
    level: Element | None = disk
    path = _source(disk.first("source"))
    for _ in range(_DEEPEST_CHAIN):
        below = level.first("backingStore") if level else None
        backing = _source(below.first("source")) if below else None
        form = below.attribute("type", "format") if below else None
        yield {
            "path": path, "format": kind, "device": device, "backing_file": backing, "backing_format": form,
            "image_hash": owners(backing).get("image_hash") if backing else None,
        }  # fmt: skip
        if backing is None:
            return
        path, kind, level = backing, form, below


def _ports(domain: Element, known: dict[str, Any], network: Element) -> Iterator[dict[str, Any]]:
    """One row for each address of a network interface that the domain tells, or one without."""
    source = network.first("source")
    told = source.attributes if source else {}
    tap = network.attribute("dev", "target")
    port = _uuid(network.attribute("interfaceid", "virtualport", "parameters"))
    listed = {
        found: [one.attributes.get("address") for one in held.all("ip")]
        for held in domain.all("metadata", "instance", "ports", "port")
        if (found := _uuid(held.attributes.get("uuid")))
    }
    if port is None and tap and tap.startswith("tap"):  # neutron: the first eleven characters of the port's id
        port = next((uuid for uuid in listed if uuid.startswith(tap[3:]) and len(tap) == 14), None)
    filters = (one.attributes for one in network.all("filterref", "parameter"))
    addresses = [ip_of(one["value"]) for one in filters if one.get("name") == "IP" and "value" in one]
    addresses += [ip_of(one) for one in listed.get(port or "", [])]
    row = {
        **{key: known[key] for key in ("instance", "instance_name", "compute_host", "user_id", "project_id")},
        "mac": mac_of(network.attribute("address", "mac")), "port": port, "tap": tap,
        "bridge": told.get("bridge") or told.get("dev"), "network": told.get("network"),
    }  # fmt: skip
    told_once = list(dict.fromkeys(filter(None, addresses)))
    yield from ({**row, "ip": address} for address in told_once)
    if not told_once:
        yield row


def _read(document: Document) -> None:
    for domain in elements(document, "domain"):
        count = domain.last_line - domain.line + 1
        known = _instance(domain, document)
        if not known["instance_name"] and not known["instance"]:
            continue
        document.add(Instance, domain.line, count, **known)
        for disk in domain.all("devices", "disk"):
            names = {key: known[key] for key in ("instance", "instance_name")}
            for row in _disks(disk):
                document.add(DiskImage, disk.line, disk.last_line - disk.line + 1, **row, **names)
        for network in domain.all("devices", "interface"):
            for row in _ports(domain, known, network):
                document.add(InstancePort, network.line, network.last_line - network.line + 1, **row)
    _skip_frame(document)


def _skip_frame(document: Document) -> None:
    """What may stand around a domain: the declaration, libvirt's warning, the status of a running domain."""
    comment = status = inside = False
    for at, line in enumerate(document.lines):
        told = line.strip()[:200]
        comment = comment or told.startswith("<!--")
        status = status or told.startswith("<domstatus")
        inside = inside or "<domain " in line or "<domain>" in line
        if comment or told.startswith("<?xml ") or (status and not inside):
            document.skip(at)
        status = status and "</domstatus>" not in line
        inside = inside and "</domain>" not in line
        comment = comment and "-->" not in line[-200:]


def _recognise(head: Head) -> float:
    if not head.first.lstrip().startswith("<"):
        return 0.0
    comment = False
    for line in head.lines[:40]:
        told = line.strip()
        comment = comment or told.startswith("<!--")
        if not comment and _OPEN.search(told[:4_000]):
            return 0.98
        comment = comment and "-->" not in told
        if not comment and told and not told.startswith(("<?xml", "-->")) and not told.endswith("-->"):
            return 0.0
    return 0.0


READERS = (
    DocumentFormat(
        name="libvirt-domain",
        records=(Instance, InstancePort, DiskImage),
        reference="libvirt 0.7 to 11, docs/formatdomain.rst; nova/virt/libvirt/config.py, 2011.1 to 2026.1",
        recognise=_recognise,
        read=_read,
    ),
)
