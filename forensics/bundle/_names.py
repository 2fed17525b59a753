"""The names that a case knows: hosts, domains, users, projects, instances, images; and which of them are mere words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import polars as pl

from forensics import records as known
from forensics.case import Case
from forensics.evidence import _words as words
from forensics.records import Record

_KINDS = ("host", "name", "user", "project", "image", "tap", "switch_port", "hostname")
_CONCERNED = ("hosts", "switches", "users", "projects", "images", "capture_points", "nodes", "names")
"""Entities of findings that are names."""
_PLACED = ("tap", "switch_port")
"""Told with the host that they are on: ``cc35 vnet37``."""
_COLUMNS: tuple[tuple[type[Record], tuple[str, ...]], ...] = (
    (known.LogRecord, ("host",)),
    (known.Packet, ("host",)),
    (known.DhcpMessage, ("hostname",)),
    (known.Instance, ("display_name", "hostname", "compute_host", "node", "instance_name", "key_name")),
    (known.InstancePort, ("compute_host",)),
    (known.Image, ("name",)),
    (known.Network, ("name",)),
    (known.LldpNeighbour, ("system_name",)),
    (known.ServiceState, ("host",)),
    (known.ShellCommand, ("host", "user")),
    (known.Notification, ("host", "publisher_id")),
)
_MERE = """
    active admin all anonymous any attached available build building built centos client cloud common critical daemon
    debian debug default deleted demo disabled down eth0 fedora guest images info instance instances internal invalid
    iscsi linux local localdomain localhost message metadata name network networks none novalocal null nobody nogroup
    notice openstacklocal operator outside paused paste port ports postgres power private project projects public
    pxe python qcow2 rabbit request response running self services shared shutdown shutoff spawning standby
    started state static stopped suspended system tenant test tests time true false type ubuntu unknown update up
    user users value virtual volumes warning windows www-data xenial com net org edu gov local lan arpa int example
    compute_node stable created updated address deleted_at error fatal fault ok pass task request-id image build
"""
MERE = frozenset(
    (*_MERE.split(), *words.PRODUCTS, *words.KINDS, *words.DAEMONS, *words.WORDS, *words.ROLES, *words.SAYS_NOTHING)
)
"""Words that logs are made of. Such a name says what a thing is for, not whose it is: it stays."""
_GENERATED = re.compile(
    r"instance-[0-9a-f]{8}|req-.*|.*[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}.*|[0-9a-f]{32,}\S*|[\d.:]+|vnet\d+"
    r"|(?:tap|qbr|qvo|qvb|brq)[0-9a-f]{8}-[0-9a-f]{2}|(?:ami|i|aki|ari)-[0-9a-f]{8}|[0-9a-f:.]+:[0-9a-f:.]+",
    re.IGNORECASE,
)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_WORD = re.compile(r"\w+(?:-\w+)*")
_PART = re.compile(r"[\s/@]+")
_INTERFACE = re.compile(
    r"(?:eth|ethernet|et|port-channel|po|bond|vlan|br|ens?|em|p\d+p|vnet|veth|lo|xe-|ge-)[\d/.:-]+|any|lo"
)


def names(case: Case, also: Iterable[str] = ()) -> tuple[list[str], list[str], list[str]]:
    """What is to be replaced by name.

    Args:
        case: The case.
        also: Names that somebody knows and the case does not.

    Returns:
        Names that are one word; names that are not; names that stay because they are mere words.
    """
    single, literal = set(also), set[str]()
    kept = set[str]()
    for name in set(_told(case)):
        if _GENERATED.fullmatch(name):
            continue
        if _WORD.fullmatch(name):
            (kept if _mere(name) else single).add(name)
            continue
        if any(character.isspace() for character in name) and len(name) > 3:
            literal.add(name)
            continue
        for part in _PART.split(name):
            labels = [label for label in part.split(".") if _WORD.fullmatch(label)]
            single |= {label for label in labels if not _mere(label) and not _GENERATED.fullmatch(label)}
    literal |= {name for name in also if not _WORD.fullmatch(name)}
    return sorted(single - literal), sorted(literal), sorted(kept)


def _mere(name: str) -> bool:
    low = name.lower()
    if len(low) < 3 or not any(character.isalpha() for character in low) or _INTERFACE.fullmatch(low):
        return True
    bare = re.split(r"[-_]+", low)
    return low in MERE or all(part in MERE for part in bare)


def _told(case: Case) -> Iterator[str]:
    yield from case.sources["host"].drop_nulls().to_list()
    for finding in case.findings:
        for kind in _CONCERNED:
            yield from finding.entities.get(kind, ())
    for kind, name in (("subject_kind", "subject"), ("object_kind", "object")):
        told = case.edges.filter(pl.col(kind).is_in(_KINDS)).select(kind, name).unique().drop_nulls()
        for what, text in told.iter_rows():
            yield from text.split(" ") if what in _PLACED else (text,)
    for record, columns in _COLUMNS:
        schema = record.polars_schema()
        for column in columns:
            if column in schema:
                found = case.records(record).select(pl.col(column).drop_nulls().unique()).collect()
                yield from found[column].to_list()


def image_ids(case: Case) -> list[str]:
    """Ids of images, whose base files bear their SHA-1."""
    edges = case.edges
    found = set(edges.filter(pl.col("subject_kind") == "image")["subject"].to_list())
    found |= set(edges.filter(pl.col("object_kind") == "image")["object"].to_list())
    return sorted(found)


def macs(case: Case) -> list[bytes]:
    """Hardware addresses, so that they are known where they stand without colons."""
    edges = case.edges
    found = set(edges.filter(pl.col("subject_kind") == "mac")["subject"].to_list())
    found |= set(edges.filter(pl.col("object_kind") == "mac")["object"].to_list())
    for column in ("eth_src", "eth_dst"):
        found |= set(case.packets.select(pl.col(column).drop_nulls().unique()).collect()[column].to_list())
    return [bytes.fromhex(text.replace(":", "")) for text in sorted(found) if _MAC.fullmatch(text)]
