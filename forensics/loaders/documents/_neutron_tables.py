"""Neutron's tables, quantum Folsom to 2026.1."""

from __future__ import annotations

import polars as pl

from forensics.loaders.documents._table import Lookups, Table, lower, timed, told, truth, word
from forensics.records import InstancePort, Network, Record, ServiceState

_Told = dict[type[Record], pl.DataFrame]


def _allocations(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = frame.with_columns(port=lower("port_id"))
    lookups.keep("allocation", frame.select(key="port", ip="ip_address"))
    return {InstancePort: told(
        InstancePort, frame, ip="ip_address", port="port", network=lower("network_id")
    )}  # fmt: skip


def _bindings(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    lookups.keep("binding", frame.select(key=lower("port_id"), bound=word("host")))
    return {}


def _ports(frame: pl.DataFrame, lookups: Lookups) -> _Told:
    frame = timed(frame, "created_at", "updated_at").with_columns(
        lower("id").alias("id"), bound=pl.lit(None, pl.String)
    )
    frame = lookups.join("allocation", frame, "id", {"ip": pl.String()}).drop("bound")
    frame = lookups.join("binding", frame, "id", {"bound": pl.String()})
    owner = word("device_owner")
    guest = owner.is_null() | owner.str.starts_with("compute:")
    return {InstancePort: told(
        InstancePort, frame, mac=lower("mac_address"), ip="ip",
        # the device of a DHCP port is no instance: its id begins with "dhcp"; a router's is the router's uuid
        instance=pl.when(guest).then(lower("device_id")), port="id", network=lower("network_id"),
        tap=pl.when(guest).then(pl.lit("tap") + pl.col("id").str.slice(0, 11)),
        compute_host=pl.coalesce("bound", word("binding:host_id")),
        project_id=pl.coalesce(word("project_id"), word("tenant_id")), state=word("status"), device_owner=owner,
        created_at="created_at", updated_at="updated_at",
    )}  # fmt: skip


def _floating_ips(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    return {InstancePort: told(
        InstancePort, frame, ip="fixed_ip_address", floating_ip="floating_ip_address", port=lower("fixed_port_id"),
        project_id=pl.coalesce(word("project_id"), word("tenant_id")), state=word("status"),
    )}  # fmt: skip


def _networks(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    return {Network: told(
        Network, frame, network=lower("id"), name=word("name"),
        project_id=pl.coalesce(word("project_id"), word("tenant_id")), mtu_bytes="mtu",
    )}  # fmt: skip


def _segments(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    kind = word("network_type").str.to_lowercase()
    tag = pl.coalesce("segmentation_id", "vlan_id").cast(pl.Int64, strict=False)
    return {Network: told(
        Network, frame, network=lower("network_id"), kind=kind, vlan_id=pl.when(kind.is_null() | (kind == "vlan"))
        .then(tag), physical_network=word("physical_network"),
    )}  # fmt: skip


def _subnets(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    return {Network: told(
        Network, frame, network=lower("network_id"), name=word("name"), cidr=word("cidr"), gateway=word("gateway_ip"),
        project_id=pl.coalesce(word("project_id"), word("tenant_id")),
    )}  # fmt: skip


def _agents(frame: pl.DataFrame, lookups: Lookups) -> _Told:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, "heartbeat_timestamp")
    enabled = pl.when(truth("admin_state_up")).then(pl.lit("enabled")).otherwise(pl.lit("disabled"))
    return {ServiceState: told(
        ServiceState, frame, service=word("binary"), service_host=word("host"), state=pl.lit("unknown"), status=enabled,
        zone=word("availability_zone"), seen_at="heartbeat_timestamp", told_by=pl.lit("database"),
    )}  # fmt: skip


TABLES: tuple[Table, ...] = (
    Table(("ipallocations",), (InstancePort,), ("port_id", "ip_address"), ("port_id", "ip_address", "network_id"),
          _allocations, keeps="allocation", alone=("port_id", "ip_address")),
    Table(("ml2_port_bindings", "portbindingports"), (), ("port_id", "host"), ("port_id", "host"), _bindings,
          keeps="binding"),
    Table(("ports",), (InstancePort,), ("id", "mac_address", "device_id"),
          ("id", "tenant_id", "project_id", "network_id", "mac_address", "status", "device_id", "device_owner",
           "binding:host_id", "created_at", "updated_at"), _ports, alone=("mac_address", "device_id")),
    Table(("floatingips",), (InstancePort,), ("floating_ip_address", "fixed_port_id"),
          ("tenant_id", "project_id", "floating_ip_address", "fixed_port_id", "fixed_ip_address", "status"),
          _floating_ips, alone=("floating_ip_address", "fixed_port_id")),
    Table(("networks",), (Network,), ("id", "admin_state_up"),
          ("id", "tenant_id", "project_id", "name", "mtu", "admin_state_up"), _networks),
    Table(("ml2_network_segments", "networksegments", "ovs_network_bindings", "network_bindings"), (Network,),
          ("network_id", "physical_network"),
          ("network_id", "network_type", "physical_network", "segmentation_id", "vlan_id"), _segments,
          alone=("network_id", "physical_network", "segmentation_id")),
    Table(("subnets",), (Network,), ("network_id", "cidr", "gateway_ip"),
          ("network_id", "name", "cidr", "gateway_ip", "tenant_id", "project_id"), _subnets,
          alone=("network_id", "cidr", "gateway_ip")),
    Table(("agents",), (ServiceState,), ("binary", "heartbeat_timestamp"),
          ("binary", "host", "admin_state_up", "availability_zone", "heartbeat_timestamp"), _agents,
          alone=("binary", "heartbeat_timestamp")),
)  # fmt: skip
