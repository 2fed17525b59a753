"""What hosts say of their own VLANs: which lies on top of which, and whether there is room for both tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.records import Clock
from forensics.records.finding import Reference, iso

TAG_BYTES = 4
_NAMED = re.compile(r"^vlan(\d{1,4})$|\.(\d{1,4})$")
_SAID = ("interface", "parent", "vlan_id", "vlan_protocol", "mtu_bytes", "master", "kind")


@dataclass(frozen=True, slots=True)
class Device:
    """One interface of one host, after all that its listings say."""

    host: str
    name: str
    parent: str | None
    vid: int | None
    protocol: str | None
    mtu: int | None
    master: str | None
    refs: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """A VLAN on top of another VLAN, on one host."""

    host: str
    interface: str
    inner_vid: int
    parent: str
    outer_vid: int
    provider: bool
    """Whether the outer tag is a service tag (802.1ad): then it is meant to be there."""
    spare_bytes: int | None
    """What the device below takes beyond what the one on top sends; None where no listing shows MTUs."""
    refs: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """``vlan_interface`` of nova.conf: what nova puts its tenants' VLANs on."""

    host: str
    value: str
    ref: Reference


def devices(interfaces: pl.LazyFrame, clocks: pl.LazyFrame | None) -> dict[tuple[str, str], Device]:
    """All interfaces, each once a host: the latest listing counts, earlier ones say what it leaves out."""
    ties = rows_of(clocks, Clock)
    timed = on_one_clock(
        interfaces.with_columns(ts=pl.col("ts").fill_null(pl.lit(0).cast(pl.Datetime("ns", "UTC")))), ties
    )
    rows = (
        timed.filter(pl.col("namespace").is_null())
        .select(*_SAID, "at", "source", "position", "ts_basis",
                machine=pl.coalesce("host", pl.col("source").str.extract(r"^([^/]+)/"), pl.lit("")))
        .sort("at", "source", "position").collect()
    )  # fmt: skip
    found: dict[tuple[str, str], Device] = {}
    for row in rows.iter_rows(named=True):
        key = (row["machine"], row["interface"])
        old = found.get(key)
        told = row["at"] if row["at"] > 0 and row["ts_basis"] != "none" else None
        ref = Reference(row["source"], f"line:{row['position']}", iso(told))
        found[key] = Device(
            *key,
            row["parent"] or (old.parent if old else None),
            row["vlan_id"] or (old.vid if old else None),
            row["vlan_protocol"] or (old.protocol if old else None),
            row["mtu_bytes"] or (old.mtu if old else None),
            row["master"] or (old.master if old else None),
            (*(old.refs if old else ()), ref),
        )
    return found


def stacks(found: Mapping[tuple[str, str], Device]) -> list[Stack]:
    """Every VLAN that lies on another VLAN, straight or through a bridge's or bond's name."""
    told = []
    for device in found.values():
        below = found.get((device.host, device.parent or ""))
        vid = vlan_of(device)
        if vid is None or below is None or below.name == device.name or (outer := vlan_of(below)) is None:
            continue
        base = found.get((device.host, below.parent or ""))
        rooms = [lower.mtu for lower in (below, base) if lower is not None and lower.mtu]
        spare = min(rooms) - device.mtu if rooms and device.mtu else None
        refs = (*device.refs[-2:], *below.refs[-2:])
        told.append(Stack(device.host, device.name, vid, below.name, outer, below.protocol == "802.1ad", spare, refs))
    return sorted(told, key=lambda one: (one.host, one.outer_vid, one.inner_vid))


def vlan_of(device: Device) -> int | None:
    """The VLAN id of a VLAN device, from its listing or from its name; None for any other."""
    if device.parent is None:
        return None
    return device.vid or named_vid(device.name)


def named_vid(name: str) -> int | None:
    """The id in the usual names of VLAN devices.

    Examples:
        >>> named_vid("vlan20"), named_vid("bond0.20"), named_vid("eth1")
        (20, 20, None)
    """
    match = _NAMED.search(name)
    vid = int(match[1] or match[2]) if match else 0
    return vid if 0 < vid < 4095 else None


def settings(options: pl.LazyFrame, clocks: pl.LazyFrame | None) -> list[Setting]:
    """What nova was told to put tenants' VLANs on, where it makes VLANs at all (VlanManager, nova-network)."""
    ties = rows_of(clocks, Clock)
    wanted = ("vlan_interface", "network_manager", "network_api_class", "use_neutron")
    timed = on_one_clock(
        options.with_columns(ts=pl.col("ts").fill_null(pl.lit(0).cast(pl.Datetime("ns", "UTC")))), ties
    )
    rows = (
        timed.filter(~pl.col("is_commented"), pl.col("key").is_in(wanted), pl.col("value").is_not_null())
        .select("key", "at", "ts_basis", "source", "position", value=pl.coalesce("effective", "value"),
                machine=pl.coalesce("host", pl.col("source").str.extract(r"^([^/]+)/"), pl.lit("")))
        .sort("machine", "at", "source", "position").collect()
    )  # fmt: skip
    told = []
    for own in rows.partition_by("machine", maintain_order=True):
        said = {row["key"]: row for row in own.iter_rows(named=True)}  # the last one counts
        here = said.get("vlan_interface")
        if here is None or "Flat" in _value(said, "network_manager") or _value(said, "use_neutron").lower() == "true":
            continue
        if re.search("quantum|neutron", _value(said, "network_api_class")):
            continue
        at = iso(here["at"]) if here["at"] > 0 and here["ts_basis"] != "none" else None
        told.append(
            Setting(here["machine"], here["value"].strip(), Reference(here["source"], f"line:{here['position']}", at))
        )
    return told


def _value(said: Mapping[str, Mapping[str, str]], key: str) -> str:
    return said[key]["value"] if key in said else ""


def host_of(point: str, hosts: Iterable[str]) -> str | None:
    """The host of a capture point: ``compute47/bond0`` and ``compute47-bond0`` are compute47's.

    Examples:
        >>> host_of("node-025/bond0", ["node-02", "node-025"]), host_of("tap1", ["node-1"])
        ('node-025', None)
    """
    own = [
        host for host in hosts if host and (point == host or (point.startswith(host) and point[len(host)] in "/-_.:"))
    ]
    return max(own, key=len, default=None)


def interface_of(point: str, host: str) -> str:
    """The interface's part of a capture point."""
    return point[len(host) :].lstrip("/-_.:").rpartition("/")[2]


def captured_on(point: str, found: Mapping[tuple[str, str], Device]) -> Device | None:
    """The interface that a capture point is, where its host's listing has it."""
    host = host_of(point, {host for host, _ in found})
    return found.get((host, interface_of(point, host))) if host else None
