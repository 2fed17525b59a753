"""Services and networks as `nova-manage` prints them, in columns of fixed width."""

from __future__ import annotations

import re

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._figures import whole
from forensics.loaders.documents._wall import utc_of
from forensics.records import Network, ServiceState

_HEADING = re.compile(r"^Binary\s+Host\s+Zone\s+Status\s+State\s+Updated_At\s*$", re.IGNORECASE)
_ROW = re.compile(
    r"^(?P<binary>[a-z][\w-]{2,60})\s+(?P<host>\S+)\s+(?:(?P<zone>\S.*?)\s+)?(?P<status>enabled|disabled)\s+"
    r"(?P<state>:-\)|XXX)\s*(?P<at>\d{4}-\d\d-\d\d[ T][\d:.]+|None)?\s*$"
)
_NETWORKS = re.compile(r"^id\s+IPv4\s+IPv6\s+start address\s+DNS1\s+DNS2\s+VlanID\s+project\s+uuid\s*$")
_NETWORK = re.compile(
    r"^(?P<id>\d+)\s+(?P<cidr>[\d.]+/\d+|None)\s+(?P<cidr6>[\da-fA-F:]+/\d+|None)\s+(?P<start>\S+)\s+\S+\s+\S+\s+"
    r"(?P<vlan>\d+|None)\s+(?P<project>\S+)\s+(?P<uuid>[\da-f-]{36})\s*$"
)
_LOG = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.* (?:DEBUG|INFO|WARNING|AUDIT) ")


def _recognise(head: Head) -> float:
    lines = [line[:1024] for line in head.lines if line.strip()]
    if any(_HEADING.match(line) or _NETWORKS.match(line) for line in lines[:5]):
        return 0.97
    return 0.95 if lines and all(_ROW.match(line) for line in lines[:50]) else 0.0


def _read(document: Document) -> None:
    for at, line in enumerate(document.lines):
        line = line[:1024]
        if _HEADING.match(line) or _NETWORKS.match(line) or _LOG.match(line):
            document.skip(at)
        elif found := _ROW.match(line):
            document.add(
                ServiceState, at, service=found["binary"], service_host=found["host"], zone=found["zone"],
                state="up" if found["state"] == ":-)" else "down", status=found["status"], seen_at=utc_of(found["at"]),
                told_by="listing", message=" ".join(line.split()),
            )  # fmt: skip
        elif found := _NETWORK.match(line):
            vlan = whole(found["vlan"])
            document.add(
                Network, at, network=found["uuid"], vlan_id=vlan, kind=None if vlan is None else "vlan",
                cidr=_told(found["cidr"]) or _told(found["cidr6"]), project_id=_told(found["project"]),
            )  # fmt: skip


def _told(text: str) -> str | None:
    return None if text == "None" else text


READERS = (
    DocumentFormat(
        name="nova-manage",
        records=(ServiceState, Network),
        reference="nova bin/nova-manage @ 2011.3 to nova/cmd/manage.py @ 15.0",
        recognise=_recognise,
        read=_read,
    ),
)
