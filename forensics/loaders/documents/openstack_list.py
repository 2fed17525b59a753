"""What OpenStack's clients list and show: services, servers, ports, images, networks; boxed, CSV, JSON or values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

from forensics.loaders.documents._boxed import RULE, Row, Table, boxed, comma_separated, named, objects, values
from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._listed_servers import Made, floating, image, network, port, server
from forensics.loaders.documents._listed_services import service
from forensics.loaders.documents._places import typed
from forensics.loaders.documents._templates import words_of
from forensics.records import Image, Instance, InstancePort, Network, ServiceState

_CLIENTS = (
    "nova", "neutron", "quantum", "cinder", "glance", "heat", "openstack", "manila", "magnum", "keystone", "ironic",
)  # fmt: skip
# Headings of the listings that are told by their command alone, as `-f value` prints them without headings.
_DEFAULTS = {
    "service": ("id", "binary", "host", "zone", "status", "state", "updated_at"),
    "agent": ("id", "agent_type", "host", "availability_zone", "alive", "state", "binary"),
    "image": ("id", "name", "status"),
    "port": ("id", "name", "mac_address", "fixed_ip_addresses", "status"),
    "network": ("id", "name", "subnets"),
    "server": ("id", "name", "status", "networks", "image", "flavor"),
    "hypervisor": ("id", "hypervisor_hostname", "hypervisor_type", "host_ip", "state"),
}
_COMMANDS = (
    ("agent", re.compile(r"\b(?:network )?agent[- ](?:list|show)\b")),
    ("hypervisor", re.compile(r"\bhypervisor[- ](?:list|show)\b")),
    ("service", re.compile(r"\bservice[- ]list\b")),
    ("floating", re.compile(r"\bfloating[- ]?ip[- ]list\b")),
    ("interface", re.compile(r"\binterface-list\b")),
    ("image", re.compile(r"\bimage[- ](?:list|show)\b|\bglance index\b")),
    ("port", re.compile(r"\bport[- ](?:list|show)\b")),
    ("network", re.compile(r"\b(?:network|net)[- ](?:list|show)\b")),
    ("server", re.compile(r"\bserver (?:list|show)\b|\bnova (?:\S+ )*(?:list|show)\b")),
)
_JSON_MARKS = re.compile(
    r'"(?:binary|networks|addresses|mac[ _]address|subnets|provider:network_type|alive|hypervisor[ _]hostname'
    r'|disk[ _]format|floating[ _]ip[ _]address|status|host|state)"\s*:',
    re.IGNORECASE,
)
_UUID = re.compile(r"[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}")


def _kind(columns: Collection[str], hint: str | None) -> str | None:
    """What a table lists, by its headings; where these are common to many, by the command."""
    own = set(columns)
    if {"agent_type", "alive"} <= own:
        return "agent"
    if {"binary", "host"} <= own and own & {"state", "status"}:
        return "service"
    if "hypervisor_hostname" in own and own & {"state", "status"} and "networks" not in own:
        return "hypervisor"
    if "floating_ip_address" in own or ({"ip", "fixed_ip", "pool"} <= own):
        return "floating"
    if {"port_id", "mac_addr"} <= own or {"port_id", "ip_addresses"} <= own:
        return "interface"
    if own & {"mac_address"} and own & {"fixed_ips", "fixed_ip_addresses"}:
        return "port"
    if own & {"os_ext_sts_vm_state", "os_ext_srv_attr_host", "os_ext_srv_attr_instance_name"}:
        return "server"
    if "id" in own and own & {"networks", "addresses"} and own & {"status", "name"}:
        return "server"
    if {"id", "status", "power_state"} <= own or {"id", "hostid", "flavor"} <= own:
        return "server"
    if "id" in own and own & {"container_format", "disk_format"}:
        return "image"
    if {"id", "name", "status", "server"} == own:
        return "image"  # nova image-list
    if "id" in own and (
        own & {"provider_network_type", "provider_segmentation_id", "router_external"} or {"label", "cidr"} <= own
    ):
        return "network"
    if own in (
        {"id", "name", "subnets"},
        {"id", "name", "tenant_id", "subnets"},
        {"id", "name", "project_id", "subnets"},
    ):
        return "network"
    if {"id", "name", "subnets", "network_type"} <= own:
        return "network"
    return hint if own & {"id", "name", "host"} else None


def _hint(command: str | None, name: str = "") -> str | None:
    """What a command lists; a file that was named after one says it, too."""
    if typed(command, *_CLIENTS) is not None:
        return next((kind for kind, form in _COMMANDS if form.search(command or "")), None)
    if command is None:
        stem = re.sub(r"[._]", " ", name.rpartition("/")[2])
        return next((kind for kind, form in _COMMANDS if form.search(stem)), None)
    return None


def _tables(lines: Sequence[str], head: Head) -> Iterator[Table]:
    first = next((line.strip() for line in lines if line.strip()), "")
    if any(RULE.match(line) for line in lines):
        yield from boxed(lines)
    elif first[:1] in "[{" and first[:2] != "[[":
        if (found := objects(lines)) is not None:
            yield found
    elif columns := _asked_columns(head.command):
        yield values(lines, columns)
    elif (found := comma_separated(lines)) is not None:
        yield found


def _asked_columns(command: str | None) -> tuple[str, ...]:
    """Headings of ``-f value``, in the order that the client prints them whatever order they were asked in."""
    words = words_of(command or "")
    if typed(command, "openstack") is None or not re.search(r"(?:-f|--format)[ =]?value\b", command or ""):
        return ()
    asked = [named(after) for word, after in pairwise(words) if word in ("-c", "--column")]
    asked += [named(word.partition("=")[2]) for word in words if word.startswith("--column=")]
    known = _DEFAULTS.get(_hint(command) or "", ())
    if not asked:
        return known if "--long" not in words else ()
    return tuple(sorted(asked, key=lambda name: known.index(name) if name in known else len(known)))


def _recognise(head: Head) -> float:
    lines = head.lines[:400]
    first = head.first.strip()
    hint = _hint(head.command, head.name)
    at = next((place for place, line in enumerate(lines) if line.strip()), 0)
    top = next((place for place in range(at, min(at + 6, len(lines))) if RULE.match(lines[place][:65_536])), None)
    if top is not None:
        if all(re.match(r"^\s*(?:\+\+|\|\|)\s*$", line) for line in head.lines if line.strip()):
            return 0.9 if head.command is None or typed(head.command, *_CLIENTS) is not None else 0.0
        table = next(boxed(lines), None)
        return (0.97 if top == at else 0.95) if table is not None and _kind_of(table, hint) else 0.0
    if first[:1] in "[{":
        if not _JSON_MARKS.search("\n".join(head.lines[:200])[:65_536]):
            return 0.0
        found = objects(head.lines)
        return 0.95 if found is not None and _kind(found.columns, hint) else 0.0
    if _asked_columns(head.command):
        return 0.95 if any(values(lines, _asked_columns(head.command)).rows) else 0.0
    if first.count(",") and len(first) < 2048 and re.match(r'^"?[A-Za-z][\w ]*"?,', first):
        found = comma_separated(lines[: at + 1])
        return 0.95 if found is not None and _kind(found.columns, hint) else 0.0
    return 0.0


def _kind_of(table: Table, hint: str | None) -> str | None:
    return _kind(table.shown(), hint) if table.is_show else _kind(table.columns, hint)


def _made(kind: str, cells: dict[str, Any], command: str | None) -> Iterator[Made]:
    if kind in ("service", "agent", "hypervisor"):
        yield ServiceState, service(cells)
    elif kind == "interface":
        asked = _UUID.search(command or "")
        yield from port(cells, asked[0].lower() if asked else None)
    else:
        makers: dict[str, Callable[[dict[str, Any]], Iterator[Made]]] = {
            "server": server, "port": port, "floating": floating, "image": image, "network": network,
        }  # fmt: skip
        yield from makers[kind](cells)


def _read(document: Document) -> None:
    hint = _hint(document.head.command, document.head.name)
    for table in _tables(document.lines, document.head):
        kind = _kind_of(table, hint) if table.columns else None
        if kind is None and table.columns:
            continue
        for at in table.idle:
            document.skip(at)
        if kind is None or not table.rows:
            continue
        rows = table.rows
        if table.is_show:
            first, last = rows[0], rows[-1]
            rows = [Row(first.line, last.line + last.count - first.line, table.shown())]
        for row in rows:
            for record, made in _made(kind, row.cells, document.head.command):
                document.add(record, row.line, row.count, **made)


READERS = (
    DocumentFormat(
        name="openstack-listing",
        records=(ServiceState, Instance, InstancePort, Image, Network),
        reference="python-novaclient v1_1/shell.py to v2/shell.py, python-neutronclient, python-openstackclient, cliff",
        recognise=_recognise,
        read=_read,
    ),
)
