"""Output of `ovs-vsctl list Interface`, `list Port` and `list Bridge`, as text, JSON, CSV or a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._network import mac_of, skip_left_out, telling, vlans, whole
from forensics.loaders.documents._ovs import interface_row, pairs
from forensics.loaders.documents._trees import objects
from forensics.records import HostInterface, InstancePort

_FACT = re.compile(r"^(?P<key>[a-z_]{3,40})\s*: (?P<value>.*)$")
_RULE = re.compile(r"^-{2,}(?: -{2,})+\s*$")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_COLUMNS = ("external_ids", "mac_in_use", "link_state", "ofport", "trunks", "tag", "datapath_id", "bond_mode")


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of OVSDB's JSON (RFC 7047, 5.1): text, a number, a flag, a list or a dict."""
    if isinstance(value, list) and len(value) == 2 and depth < 4:
        kind, held = value
        if kind in ("uuid", "named-uuid"):
            return held
        if kind == "set" and isinstance(held, list):
            return [_plain(one, depth + 1) for one in held]
        if kind == "map" and isinstance(held, list):
            both = [one for one in held if isinstance(one, list) and len(one) == 2]
            return {str(_plain(key, depth + 1)): _plain(one, depth + 1) for key, one in both}
    return value


def _said(value: str) -> Any:
    """A value as the text forms print it."""
    value = value.strip()
    if value.startswith("{"):
        return pairs(value)
    if value.startswith("["):
        return [one.strip().strip('"') for one in value.strip("[]").split(",") if one.strip()]
    return value.strip('"')


def _one(value: Any) -> str | None:
    """The value of a column that holds one at most."""
    if isinstance(value, list):
        value = value[0] if value else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _uuid(value: str | None) -> str | None:
    return value.lower() if value and _UUID.fullmatch(value) else None


def _add(document: Document, first: int, count: int, row: dict[str, Any]) -> None:
    """Rows of one row of a table; which table it is, its columns tell."""
    name = _one(row.get("name"))
    if name is None:
        return
    columns: dict[str, Any] = {"interface": name}
    if "datapath_id" in row or "stp_enable" in row:
        stp = row.get("stp_enable")
        columns |= {"kind": "bridge", "stp": {"true": True, "false": False}.get(str(stp).lower())}
    elif "tag" in row or "trunks" in row or "bond_mode" in row:
        held = row.get("trunks")
        trunks = vlans(" ".join(map(str, held)) if isinstance(held, list) else str(held or ""))
        members = row.get("interfaces")
        columns |= {
            "vlan_id": whole(_one(row.get("tag")), 4095), "trunks": trunks or None, "master": None,
            "kind": "bond" if isinstance(members, list) and len(members) > 1 else None,
            "mode": _one(row.get("vlan_mode")) or _one(row.get("bond_mode")),
        }  # fmt: skip
    else:
        columns |= _interface(row)
        ids = _texts(row.get("external_ids"))
        mac, machine = mac_of(ids.get("attached-mac")), ids.get("vm-uuid") or ids.get("vm-id")
        if mac or machine:
            document.add(
                InstancePort, first, count, mac=mac, instance=_uuid(machine), port=_uuid(ids.get("iface-id")), tap=name,
                compute_host=document.origin.host, state=ids.get("iface-status"),
            )  # fmt: skip
    document.add(HostInterface, first, count, **columns)


def _interface(row: dict[str, Any]) -> dict[str, Any]:
    ids = _texts(row.get("external_ids"))
    status = _texts(row.get("status"))
    bits = whole(_one(row.get("link_speed")), 10**15)
    state = _one(row.get("link_state"))
    duplex = _one(row.get("duplex"))
    driver = " ".join(filter(None, (status.get("driver_name"), status.get("driver_version"))))
    return {
        **interface_row(_one(row.get("type")) or "", _texts(row.get("options"))),
        "index": whole(_one(row.get("ifindex"))), "mtu_bytes": whole(_one(row.get("mtu"))),
        "mac": mac_of(_one(row.get("mac_in_use"))), "speed_mbps": bits // 1_000_000 if bits else None,
        "duplex": duplex if duplex in ("full", "half") else None,
        "carrier": {"up": True, "down": False}.get(state or ""), "error": _one(row.get("error")),
        "port": _uuid(ids.get("iface-id")), "instance": _uuid(ids.get("vm-uuid") or ids.get("vm-id")),
        "driver": driver or None,
    }  # fmt: skip


def _json(document: Document) -> None:
    skip_left_out(document)
    for table, first, count in objects(document):
        names, rows = table.get("headings"), table.get("data")
        if not isinstance(names, list) or not isinstance(rows, list):
            continue
        document.skip(first, count)
        for row in rows:
            if isinstance(row, list) and len(row) == len(names):
                _add(document, first, count, dict(zip(map(str, names), map(_plain, row), strict=True)))


def _text(document: Document) -> None:
    skip_left_out(document)
    facts: dict[str, Any] = {}
    first = 0
    for at, line in enumerate((*document.lines, "")):
        found = _FACT.match(line)
        if found:
            if not facts or found["key"] in facts:
                if facts:
                    _add(document, first, at - first, facts)
                facts, first = {}, at
            facts[found["key"]] = _said(found["value"])
        elif facts:
            _add(document, first, at - first, facts)
            facts = {}


def _counted(document: Document) -> Iterator[tuple[list[str], int, int]]:
    """Rows of CSV with their first line and number of lines, for a quoted cell may hold line ends."""
    read = csv.reader(f"{line}\n" for line in document.lines)
    before = 0
    while True:
        try:
            row = next(read)
        except StopIteration:
            return
        except csv.Error:
            before = read.line_num
            continue
        yield row, before, read.line_num - before
        before = read.line_num


def _csv(document: Document) -> None:
    _rows(document, _counted(document))


def _table(document: Document) -> None:
    lines = document.lines
    rules = [at for at, line in enumerate(lines) if _RULE.match(line[:10_000])]
    if rules:
        ends = [found.span() for found in re.finditer("-+", lines[rules[0]])]
        cut = [(start, following) for (start, _), (following, _) in zip(ends, [*ends[1:], (1 << 30, 0)], strict=True)]
        document.skip(rules[0])
        told = ((at, line) for at, line in enumerate(lines) if at != rules[0] and line.strip())
        _rows(document, (([line[a:b].strip() for a, b in cut], at, 1) for at, line in told))


def _rows(document: Document, rows: Iterable[tuple[list[str], int, int]]) -> None:
    names: list[str] = []
    for row, at, count in rows:
        if not names:
            names = row
            document.skip(at, count)
        elif len(row) == len(names):
            _add(document, at, count, dict(zip(names, map(_said, row), strict=True)))


def _is_json(head: Head) -> float:
    if not head.first.lstrip().startswith("{"):
        return 0.0
    text = "\n".join(head.lines)
    whole_text = '"headings"' in text or ('"data"' in text[:200] and '[["uuid",' in text[:400])
    return 0.97 if whole_text and ('["set",' in text or '["map",' in text or '"name"' in text) else 0.0


def _is_text(head: Head) -> float:
    lines = telling(head, 40)
    keys = [found["key"] for line in lines if (found := _FACT.match(line[:300]))]
    return 0.96 if len(keys) == len(lines) and "name" in keys and any(key in keys for key in _COLUMNS) else 0.0


def _is_csv(head: Head) -> float:
    names = head.first[:4_000].split(",")
    known = sum(1 for name in _COLUMNS if name in names)
    return 0.96 if "name" in names and (known > 1 or "external_ids" in names) else 0.0


def _is_table(head: Head) -> float:
    lines = telling(head, 2)
    names = lines[0][:10_000].split() if len(lines) == 2 and _RULE.match(lines[1][:10_000]) else []
    return 0.96 if "name" in names and any(name in names for name in _COLUMNS) else 0.0


_REFERENCE = "Open vSwitch 1.4 to 3.x, lib/table.c, lib/db-ctl-base.c"
_RECORDS = (HostInterface, InstancePort)
READERS = (
    DocumentFormat("ovs-list", _RECORDS, _REFERENCE, _is_text, _text),
    DocumentFormat("ovs-list-json", _RECORDS, _REFERENCE, _is_json, _json),
    DocumentFormat("ovs-list-csv", _RECORDS, _REFERENCE, _is_csv, _csv),
    DocumentFormat("ovs-list-table", _RECORDS, _REFERENCE, _is_table, _table),
)
