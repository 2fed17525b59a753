"""Output of `lldpctl -f json`, `-f json0` and `-f xml`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._lldp import age_ns, neighbour
from forensics.loaders.documents._network import skip_left_out
from forensics.loaders.documents._trees import Element, elements, objects
from forensics.records import LldpNeighbour

_PARTS = frozenset({"id", "name", "descr", "mgmt-ip", "capability", "ttl", "mgmt-iface"})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    """Values of a key, which ``json0`` wraps: ``[{"value": "SW-1"}]``."""
    found = (one.get("value") if isinstance(one, dict) else one for one in _listed(value))
    return [str(one) for one in found if isinstance(one, str | int | float) and not isinstance(one, bool)]


def _ids(value: Any) -> list[str]:
    return [f"{one.get('type', 'local')} {one.get('value', '')}" for one in _listed(value) if isinstance(one, dict)]


def _first(value: Any) -> dict[str, Any]:
    return next((one for one in _listed(value) if isinstance(one, dict)), {})


def _said(entry: dict[str, Any]) -> dict[str, list[str]]:
    chassis = _first(entry.get("chassis"))
    name = _texts(chassis.get("name"))
    if chassis and not chassis.keys() & _PARTS:  # the short form has the system's name as a key
        key, held = next(iter(chassis.items()))
        chassis, name = _first(held), [key]
    port, tags = _first(entry.get("port")), [one for one in _listed(entry.get("vlan")) if isinstance(one, dict)]
    able = [one for one in _listed(chassis.get("capability")) if isinstance(one, dict)]
    return {
        "chassis chassisid": _ids(chassis.get("id")), "chassis sysname": name,
        "chassis sysdescr": _texts(chassis.get("descr")),
        "chassis mgmtip": _texts(chassis.get("mgmt-ip")), "chassis ttl": _texts(chassis.get("ttl")),
        "chassis capability": [f"{one.get('type')}, {'on' if one.get('enabled') is True else 'off'}" for one in able],
        "port portid": _ids(port.get("id")), "port portdescr": _texts(port.get("descr")),
        "port mfs": _texts(port.get("mfs")),
        "port ttl": _texts(port.get("ttl")),
        "vlan vlan": [f"{one.get('vlan-id')}, pvid: {'yes' if one.get('pvid') is True else 'no'}" for one in tags],
    }  # fmt: skip


def _entries(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Interfaces with what was heard on them; both forms of JSON, one interface or several."""
    for root in _listed(document.get("lldp")):
        for held in _listed(root.get("interface")) if isinstance(root, dict) else []:
            if not isinstance(held, dict):
                continue
            if isinstance(held.get("name"), str):
                yield held["name"], held
                continue
            for name, several in held.items():
                yield from ((name, one) for one in _listed(several) if isinstance(one, dict))


def _json(document: Document) -> None:
    skip_left_out(document)
    for found, first, count in objects(document):
        document.skip(first, count)
        for name, entry in _entries(found):
            age = age_ns(next(iter(_texts(entry.get("age"))), None))
            row = neighbour(_said(entry), age, document.taken()[0])
            document.add(LldpNeighbour, first, count, interface=name, **row)


def _xml(document: Document) -> None:
    skip_left_out(document)
    for root in elements(document, "lldp"):
        document.skip(root.line, root.last_line - root.line + 1)
        for entry in root.all("interface"):
            row = neighbour(_of_element(entry), age_ns(entry.attributes.get("age")), document.taken()[0])
            name = entry.attributes.get("name")
            document.add(LldpNeighbour, entry.line, entry.last_line - entry.line + 1, interface=name, **row)
    for at, line in enumerate(document.lines):
        if line.startswith("<?xml "):
            document.skip(at)


def _of_element(entry: Element) -> dict[str, list[str]]:
    def texts(*path: str) -> list[str]:
        return [one.text.strip() for one in entry.all(*path) if one.text.strip()]

    def ids(part: str) -> list[str]:
        return [f"{one.attributes.get('type', 'local')} {one.text.strip()}" for one in entry.all(part, "id")]

    able = (one.attributes for one in entry.all("chassis", "capability"))
    tags = (one.attributes for one in entry.all("vlan"))
    return {
        "chassis chassisid": ids("chassis"), "chassis sysname": texts("chassis", "name"),
        "chassis sysdescr": texts("chassis", "descr"), "chassis mgmtip": texts("chassis", "mgmt-ip"),
        "chassis ttl": texts("chassis", "ttl"),
        "chassis capability": [f"{one.get('type')}, {one.get('enabled')}" for one in able],
        "port portid": ids("port"), "port portdescr": texts("port", "descr"), "port mfs": texts("port", "mfs"),
        "port ttl": texts("port", "ttl"),
        "vlan vlan": [f"{one.get('vlan-id')}, pvid: {one.get('pvid', 'no')}" for one in tags],
    }  # fmt: skip


def _is_json(head: Head) -> float:
    if not head.first.lstrip().startswith("{"):
        return 0.0
    text = "\n".join(head.lines)[:4_000]
    return 0.98 if '"lldp"' in text and ('"interface"' in text or len(text) < 200) else 0.0


def _is_xml(head: Head) -> float:
    lines = [line for line in head.lines[:10] if line.strip()]
    return 0.98 if any(line.lstrip().startswith("<lldp") for line in lines[:2]) else 0.0


_REFERENCE = "lldpd 0.5 to 1.0, src/client/{}_writer.c"
READERS = (
    DocumentFormat("lldpctl-json", (LldpNeighbour,), _REFERENCE.format("json"), _is_json, _json),
    DocumentFormat("lldpctl-xml", (LldpNeighbour,), _REFERENCE.format("xml"), _is_xml, _xml),
)
