"""Which instance, host, image, user and port belong together, and when?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import polars as pl

from forensics.analysis import _entity_cloud as cloud
from forensics.analysis import _entity_names as names
from forensics.analysis import _entity_network as network
from forensics.analysis._correlate import of_first
from forensics.analysis._entity_conflicts import conflicting
from forensics.analysis._entity_spans import PLACE, kin, spans
from forensics.records import (
    ApiRequest,
    BaseFileEvent,
    ConsoleRequest,
    DataFrame,
    DhcpMessage,
    DiskImage,
    Edge,
    ForwardingEntry,
    HostInterface,
    Image,
    Instance,
    InstanceEvent,
    InstancePort,
    LldpNeighbour,
    Network,
    Notification,
    Packet,
    PortEvent,
    Record,
)

RECORDS: tuple[type[Record], ...] = (
    *(Instance, InstancePort, Notification, InstanceEvent, Image, HostInterface, ForwardingEntry, LldpNeighbour),
    *(PortEvent, DhcpMessage, Packet, DiskImage, BaseFileEvent, ApiRequest, ConsoleRequest, Network),
)
"""The records that `edges` takes after the clocks, in the order of its arguments."""


def edges(clocks: pl.LazyFrame, *records: pl.LazyFrame) -> DataFrame[Edge]:
    """Relations between the things of a cloud, each for as long as it held.

    Args:
        clocks: One row per `Clock`.
        records: Rows of each of `RECORDS`, in that order.

    Returns:
        One row per relation and span, by subject, object and start. A fact that several records tell is one row.
    """
    given = dict(zip(RECORDS, records, strict=True))
    arp = network.arp(given.pop(Packet))
    told = {record: cloud.dated(each, clocks) for record, each in given.items()}
    concerned = _concerned(told)
    many = (network.granted(given[DhcpMessage]), given[PortEvent], arp, concerned.lazy())
    number = 1 + sum(rows.select(pl.len()).collect(engine="streaming").item() for rows in many) // _MOST_CLAIMS
    read = {record: _held(record, each, concerned, whole=number == 1) for record, each in told.items()}
    rows = names.resolved(read)
    parts = (_claims(rows, arp, clocks, part, number) for part in range(number))
    held = spans(parts, cloud.lives(rows[Instance], rows[Notification]))
    dated = held.with_columns(
        pl.col(f"{end}_ns").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC").alias(f"{end}_at")
        for end in ("from", "to")
    )
    ordered = dated.sort("subject_kind", "subject", "object_kind", "object", "network", "from_at", nulls_last=False)
    return Edge.validate(ordered.select(Edge.polars_schema().names()), cast=True)


_LONG = ("payload", "message", "path", "options", "user_agent")
_READ: dict[type[Record], tuple[str, ...]] = {
    ApiRequest: ("request_id", "user_id", "project_id", "instance"),
    ConsoleRequest: ("host", "request_id", "user_id", "project_id", "instance", "compute_host"),
    DhcpMessage: ("message_type", "chaddr", "yiaddr", "ciaddr", "lease_s", "vlan_ids"),
    PortEvent: ("host", "interface", "mac", "description", "vendor"),
    InstanceEvent: ("host", "instance", "instance_name", "event", "base_file", "request_id", "user_id", "project_id"),
    Notification: (
        *("host", "event_type", "request_id", "instance", "image", "user_id", "project_id", "compute_host", "flavor"),
        *("display_name", "macs", "ips", "created_at", "terminated_at", "deleted_at"),
    ),
    BaseFileEvent: ("base_file", "image_hash", "image", "instances"),
}
"""What is asked of records of which there may be millions, beside ``at`` and `PLACE`."""
_NEVER = -(2**62)
_MOST_CLAIMS = 400_000
"""Rows of records that come by the million, from which on claims are judged in parts."""


def _concerned(rows: Mapping[type[Record], pl.LazyFrame]) -> pl.DataFrame:
    """Requests that may concern an instance: their ``request_id``."""
    named = [rows[each].filter(pl.col("instance").is_not_null()) for each in (ApiRequest, ConsoleRequest)]
    told = [each.select("request_id") for each in (*named, rows[Notification], rows[InstanceEvent])]
    return pl.concat(told).drop_nulls().group_by("request_id").agg().collect(engine="streaming")


def _held(record: type[Record], rows: pl.LazyFrame, concerned: pl.DataFrame, *, whole: bool) -> pl.LazyFrame:
    """Rows without what nobody asks for; those that are asked for again and again are read once, if few enough."""
    if record not in _READ:
        return rows.drop(_LONG, strict=False).collect(engine="streaming").lazy()
    short = rows.select("at", *PLACE, *_READ[record])
    if record is BaseFileEvent:
        return _files(short).lazy()
    if record is DhcpMessage:
        return network.granted(short)
    if record in (ApiRequest, ConsoleRequest):
        short = short.join(concerned.lazy(), on="request_id", how="semi")
    often = record in (Notification, InstanceEvent)
    return short.collect(engine="streaming").lazy() if whole or often else short


def _files(rows: pl.LazyFrame) -> pl.DataFrame:
    """What is said of each base file and ``instance``, first and ``last``, ``n`` times: an image cache repeats it."""
    said = ("base_file", "image_hash", "image", "instance")
    told = rows.explode("instances").rename({"instances": "instance"})
    timed = told.with_columns(last="at", at=pl.col("at").fill_null(_NEVER))
    first = [of_first(name) for name in PLACE if name != "source"]
    counted = timed.group_by(*said, "source").agg(pl.col("at").min(), *first, pl.col("last").max(), n=pl.len())
    each = counted.collect(engine="streaming").sort("at", "source", "position").group_by(said)
    once = each.agg(pl.col("at", *PLACE).first(), pl.col("last").max(), pl.col("n").sum().cast(pl.Int64))
    return once.with_columns(at=pl.when(pl.col("at") > _NEVER).then("at"))


def conflicts(edges: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """What cannot hold at one time, and is told all the same.

    One MAC belongs to one instance, one address within a network to one MAC, one instance runs on one host, but for the
    minutes of a migration. Tenants may use the same addresses: those of different networks, or of different projects
    where no network is told, are no conflict.

    Args:
        edges: One row per `Edge`.

    Returns:
        By ``thing`` and start: ``conflict`` (what is wrong, in words), ``kind`` and ``thing`` that has two partners,
        ``first`` and ``second`` (the partners), ``network``, ``from_at``, ``to_at`` (when both hold), and of both
        ``told_by`` and the place of the evidence, as ``first_source`` and so on.

    Examples:
        >>> conflicts(Edge.empty()).height
        0
    """
    return conflicting(edges.lazy().collect())


def _claims(
    rows: Mapping[type[Record], pl.LazyFrame], arp: pl.LazyFrame, clocks: pl.LazyFrame, part: int, number: int
) -> pl.DataFrame:
    """One of so many parts of the claims of all records; what is `kin` is in one part."""

    def own(every: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
        return every if number == 1 else every.filter(key % number == part)

    servers = names.servers(rows)
    images = _images(rows)
    known = pl.col("who").is_not_null()
    concerned = pl.concat(
        rows[each].filter(known).select("request_id")
        for each in (Notification, InstanceEvent, ApiRequest, ConsoleRequest)
    ).unique()
    single = {"last": pl.col("at"), "n": pl.lit(1)}
    disks = cloud.placed(rows[DiskImage]).with_columns(file=cloud.file_name(pl.col("backing_file")), **single)
    broken = rows[InstanceEvent].with_columns(file=cloud.file_name(pl.col("base_file")), **single)
    asked = {each: own(rows[each], pl.col("request_id").hash()) for each in (ApiRequest, ConsoleRequest)}
    announced = network.announced(own(arp, pl.col("ip").hash()))
    cached = rows[BaseFileEvent].with_columns(file=cloud.file_name(pl.col("base_file")))
    told = [
        *cloud.of_instances(rows[Instance]),
        *cloud.of_ports(rows[InstancePort]),
        *cloud.of_notifications(rows[Notification]),
        *cloud.of_events(rows[InstanceEvent]),
        *cloud.of_images(rows[Image]),
        *cloud.of_base_files(disks, "DiskImage", images),
        *cloud.of_base_files(broken, "InstanceEvent", images),
        *cloud.of_base_files(cached, "BaseFileEvent", images),
        *cloud.of_requests(asked[ApiRequest], "ApiRequest", concerned),
        *cloud.of_requests(asked[ConsoleRequest], "ConsoleRequest", concerned),
        *network.of_interfaces(cloud.placed(rows[HostInterface])),
        *network.of_forwarding(cloud.placed(rows[ForwardingEntry])),
        *network.of_neighbours(rows[LldpNeighbour], servers),
        *network.of_port_events(rows[PortEvent], servers),
        *network.of_leases(rows[DhcpMessage]),
        *network.of_announcements(cloud.dated(announced, clocks)),
    ]
    found = pl.collect_all([own(each, kin()) for each in told], engine="streaming")
    return _at_home(names.networks(pl.concat(found), rows[Network]))


def _images(rows: Mapping[type[Record], pl.LazyFrame]) -> pl.LazyFrame:
    """Which image a base file's name is of: ``hash``, ``of_image``.

    References:
        nova/virt/libvirt/imagecache.py ``get_cache_fname``: SHA-1 of the image's id as text.
    """
    told = [rows[each].select(hash="image_hash", of_image="image") for each in (Instance, Image, BaseFileEvent)]
    sent = rows[Notification].select(of_image="image").drop_nulls().unique().collect(engine="streaming")
    digests = [hashlib.sha1(image.encode(), usedforsecurity=False).hexdigest() for image in sent["of_image"]]
    made = sent.select(pl.Series("hash", digests, pl.String), "of_image")
    return pl.concat([*told, made.lazy()]).drop_nulls().unique("hash", keep="any", maintain_order=False)


def _at_home(claims: pl.DataFrame) -> pl.DataFrame:
    """Without the host of a log line where that is no host of the cloud and another record tells the instance's host.

    A log may have been collected under the name of a machine that only keeps it.
    """
    host = (pl.col("subject_kind") == "instance") & (pl.col("object_kind") == "host")
    heard = pl.col("told_by").is_in(["InstanceEvent", "HostInterface"])
    told = claims.filter(host, ~heard)
    stranger = host & heard & ~pl.col("object").is_in(told["object"].unique().implode())
    return claims.filter(~(stranger & pl.col("subject").is_in(told["subject"].unique().implode())))
