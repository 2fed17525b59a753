"""One name for each thing: hosts by one form, instances by uuid, switch ports as the switch says them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from forensics.analysis._entity_network import TAP, device
from forensics.records import (
    ApiRequest,
    BaseFileEvent,
    ConsoleRequest,
    DiskImage,
    ForwardingEntry,
    HostInterface,
    Image,
    Instance,
    InstanceEvent,
    InstancePort,
    LldpNeighbour,
    Notification,
    PortEvent,
    Record,
)

Rows = Mapping[type[Record], pl.LazyFrame]

_TELL_HOSTS = (
    *((Instance, "compute_host"), (InstancePort, "compute_host"), (Notification, "compute_host")),
    *((Notification, "host"), (InstanceEvent, "host"), (HostInterface, "host"), (PortEvent, "host")),
    *((LldpNeighbour, "host"), (LldpNeighbour, "system_name"), (ForwardingEntry, "host"), (ConsoleRequest, "host")),
)
_RUN_INSTANCES = ((Instance, "compute_host"), (InstancePort, "compute_host"), (Notification, "compute_host"),
                  (InstanceEvent, "machine"), (HostInterface, "machine"))  # fmt: skip


def resolved(rows: Rows) -> dict[type[Record], pl.LazyFrame]:
    """Dated rows with ``who`` (uuid of the instance, or its only name), ``machine`` (the host by one name) and more."""
    hosts = _hosts(rows)
    found = {**rows}
    record: type[Record]
    for record in (InstanceEvent, HostInterface, ForwardingEntry, LldpNeighbour, PortEvent, ConsoleRequest):
        found[record] = _shorter(rows[record], hosts, "host", "machine")
    for record in (Instance, InstancePort, Notification):
        found[record] = _shorter(found[record], hosts, "compute_host", "compute_host")
    found[Instance] = _ec2(found[Instance], "i")
    found[Image] = _ec2(found[Image], "ami")
    known = _known(found[Instance]).collect().lazy()
    for record in (Instance, InstancePort, Notification, InstanceEvent, DiskImage, ApiRequest, ConsoleRequest):
        found[record] = _named(found[record], known)
    found[BaseFileEvent] = _named(found[BaseFileEvent], known)
    found[LldpNeighbour] = _shorter(found[LldpNeighbour], hosts, "system_name", "neighbour")
    ports = _ports(found).collect().lazy()
    for record in (PortEvent, ForwardingEntry, LldpNeighbour):
        found[record] = _port_named(found[record], ports)
    found[InstancePort] = _with_device(found)
    return found


def servers(rows: Rows) -> pl.LazyFrame:
    """Machines that run instances: ``server``."""
    parts = [rows[record].select(server=pl.col(name)) for record, name in _RUN_INSTANCES]
    return pl.concat(parts).drop_nulls().unique()


def networks(claims: pl.DataFrame, listed: pl.LazyFrame) -> pl.DataFrame:
    """Claims whose network is told by a tag, with the name of the one network that has that tag."""
    label = pl.lit("VLAN ") + pl.col("vlan_id").cast(pl.String)
    tagged = listed.filter(pl.col("vlan_id").is_not_null()).select(label=label, named="network").drop_nulls().unique()
    only = tagged.filter(pl.len().over("label") == 1).collect()
    if only.is_empty():
        return claims
    joined = claims.join(only, left_on="network", right_on="label", how="left", maintain_order="left")
    return joined.with_columns(network=pl.coalesce("named", "network")).drop("named")


def _hosts(rows: Rows) -> pl.LazyFrame:
    """Full names of hosts that are known by their first label, too: ``full``, ``short``."""
    parts = [rows[record].select(full=pl.col(name)) for record, name in _TELL_HOSTS]
    every = pl.concat(parts).drop_nulls().unique().collect(engine="streaming")
    long = every.filter(pl.col("full").str.contains(r"\.[A-Za-z]")).with_columns(
        short=pl.col("full").str.split(".").list.first()
    )
    return long.filter(pl.len().over("short") == 1, pl.col("short").is_in(every["full"].implode())).lazy()


def _shorter(rows: pl.LazyFrame, hosts: pl.LazyFrame, name: str, into: str) -> pl.LazyFrame:
    joined = rows.join(hosts, left_on=name, right_on="full", how="left")
    return joined.with_columns(pl.coalesce("short", name).alias(into)).drop("short")


def _known(instances: pl.LazyFrame) -> pl.LazyFrame:
    """The uuid behind each name that only one instance has: ``name``, ``uuid``."""
    names = ("instance_name", "ec2_name", "instance_id")
    parts = [instances.select(name=pl.col(name).cast(pl.String), uuid="instance") for name in names]
    return (
        pl.concat(parts)
        .drop_nulls()
        .group_by("name")
        .agg(pl.col("uuid").first(), alone=pl.col("uuid").n_unique() == 1)
        .filter("alone")
        .drop("alone")
    )


def _named(rows: pl.LazyFrame, known: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with ``who``: the uuid, or the only name that is told."""
    if "instance_name" not in rows.collect_schema():
        rows = rows.with_columns(instance_name="instance")
    numbered = "instance_id" in rows.collect_schema()
    name = pl.coalesce("instance_name", pl.col("instance_id").cast(pl.String)) if numbered else pl.col("instance_name")
    found = rows.with_columns(name=name).join(known, on="name", how="left")
    is_uuid = pl.col("instance").str.contains(r"^[0-9a-f-]{32,36}$")
    return found.with_columns(who=pl.coalesce(pl.when(is_uuid).then("instance"), "uuid", "instance", "instance_name"))


def _ec2(rows: pl.LazyFrame, prefix: str) -> pl.LazyFrame:
    """Rows with ``ec2_name``: ``i-0000002a`` for 42."""
    numbers = rows.select("ec2_id").drop_nulls().unique().collect().to_series()
    told = {"ec2_id": numbers, "ec2_name": [f"{prefix}-{each:08x}" for each in numbers]}
    made = pl.DataFrame(told, schema={"ec2_id": pl.Int64(), "ec2_name": pl.String()})
    return rows.join(made.lazy(), on="ec2_id", how="left")


def _short_port(interface: pl.Expr) -> pl.Expr:
    """What a port's long and short names share: ``et35`` of Ethernet35 and Et35, ``po35`` of Port-Channel35."""
    lower = interface.str.to_lowercase()
    return lower.str.extract(r"^([a-z]{2})") + lower.str.extract(r"([\d/.:]+)$")


def _ports(rows: Rows) -> pl.LazyFrame:
    """How each switch's own log names its ports: ``machine``, ``short``, ``said``."""
    said = rows[PortEvent].filter(pl.col("vendor") != "linux").select("machine", said="interface").drop_nulls().unique()
    short = said.with_columns(short=_short_port(pl.col("said"))).drop_nulls()
    return short.filter(pl.len().over("machine", "short") == 1)


def _port_named(rows: pl.LazyFrame, ports: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with ``port_name``: ``SW-1 Ethernet35``."""
    joined = rows.with_columns(short=_short_port(pl.col("interface"))).join(ports, on=["machine", "short"], how="left")
    port = pl.coalesce("said", "interface")
    return joined.with_columns(port_name=pl.concat_str("machine", port, separator=" ")).drop("short", "said")


def _with_device(rows: Rows) -> pl.LazyFrame:
    """Ports with ``device``: as told, or ``tap`` and the port's first eleven characters where a host has such a device.

    References:
        nova/network/linux_net.py, neutron/plugins/common/constants.py: device names are cut to 14 characters.
    """
    seen = pl.concat(rows[each].select("interface") for each in (HostInterface, PortEvent, ForwardingEntry))
    taps = seen.filter(pl.col("interface").str.contains(TAP)).unique().rename({"interface": "made"})
    made = pl.lit("tap") + pl.col("port").str.slice(0, 11)
    joined = (
        rows[InstancePort].with_columns(made=made).join(taps.with_columns(is_there=pl.lit(True)), on="made", how="left")
    )
    told = pl.coalesce("tap", pl.when("is_there").then("made"))
    return joined.with_columns(device=device(told, pl.col("compute_host")))
