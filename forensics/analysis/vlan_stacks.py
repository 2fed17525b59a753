"""Which VLANs lie on other VLANs? What hosts list and are told, where no capture shows whether it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from forensics.analysis._given import rows_of
from forensics.analysis._paths_doubts import stack_remedy
from forensics.analysis._paths_hosts import (
    TAG_BYTES,
    Device,
    Setting,
    Stack,
    devices,
    named_vid,
    settings,
    stacks,
    vlan_of,
)
from forensics.records import Clock, ConfigOption, Finding, HostInterface, Packet
from forensics.records.finding import Alternative, Step

NEEDS = ()
NEEDS_ANY = (HostInterface, ConfigOption)
USES = (Packet, Clock)
KINDS = {"stacked-vlan": ("`ip -d link` of the hosts, or nova.conf",)}

MOST_CITED = 3
USUAL_MTU = 1500


def findings(
    host_interfaces: pl.LazyFrame,
    config_options: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,
    clocks: pl.LazyFrame | None = None,
) -> list[Finding]:
    """Find VLANs on VLANs that nobody has captured full frames of.

    A service tag (802.1ad), or a device below that takes four octets more, is a provider's Q-in-Q and no fault.
    Where a capture has full-size frames with both tags, `packet_paths` says whether they arrive.

    Args:
        host_interfaces: One row per `HostInterface`.
        config_options: One row per `ConfigOption`.
        packets: One row per `Packet`.
        clocks: One row per `Clock`.

    Returns:
        One ``stacked-vlan`` per VLAN that others lie on: of low severity where MTUs show that there is no room.

    Examples:
        >>> findings(HostInterface.empty().lazy())
        []
    """
    hosts = devices(host_interfaces, clocks)
    options = rows_of(config_options, ConfigOption)
    shown = _captured(rows_of(packets, Packet))
    tight = [
        one
        for one in stacks(hosts)
        if not one.provider
        and (one.spare_bytes is None or one.spare_bytes < TAG_BYTES)
        and not _seen(one, hosts, shown)
    ]
    told = [one for one in settings(options, clocks) if _is_vlan(one, hosts)]
    found = []
    for parent in sorted({one.parent for one in tight} | {one.value for one in told}):
        own = [one for one in tight if one.parent == parent]
        said = [one for one in told if one.value == parent]
        if own or not _explained(parent, said, hosts, shown):
            found.append(_finding(own, said, hosts))
    return sorted(found, key=Finding.order)


def _captured(packets: pl.LazyFrame) -> dict[tuple[int, int], int]:
    """Outermost and innermost tag of frames with two or more -> their largest packet."""
    tags = pl.col("vlan_ids")
    rows = packets.filter(tags.list.len() >= 2, pl.col("ip_bytes").is_not_null())
    most = rows.group_by(outer=tags.list.first(), inner=tags.list.last()).agg(pl.col("ip_bytes").max())
    return {(outer, inner): size for outer, inner, size in most.collect(engine="streaming").iter_rows()}


def _seen(one: Stack, hosts: Mapping[tuple[str, str], Device], shown: Mapping[tuple[int, int], int]) -> bool:
    """Whether full-size frames of a stack were captured."""
    upper = hosts.get((one.host, one.interface))
    mtu = (upper.mtu if upper else None) or USUAL_MTU
    return shown.get((one.outer_vid, one.inner_vid), 0) > mtu - TAG_BYTES


def _explained(
    parent: str, said: Sequence[Setting], hosts: Mapping[tuple[str, str], Device], shown: Mapping[tuple[int, int], int]
) -> bool:
    """Whether listings or captures answer what a setting asks: there is room, or full frames were seen."""
    on_it = [one for one in stacks(hosts) if one.parent == parent and one.host in {setting.host for setting in said}]
    vid = named_vid(parent)
    return bool(on_it) or any(outer == vid and size > USUAL_MTU - TAG_BYTES for (outer, _), size in shown.items())


def _is_vlan(one: Setting, hosts: Mapping[tuple[str, str], Device]) -> bool:
    """Whether nova was told to put VLANs on a VLAN: by the host's listing, else by the name."""
    listed = hosts.get((one.host, one.value))
    if listed is None:
        return named_vid(one.value) is not None
    return (
        listed.parent is not None and (listed.vid or named_vid(one.value)) is not None and listed.protocol != "802.1ad"
    )


def _finding(
    found: Sequence[Stack], told: Sequence[Setting], hosts: Mapping[tuple[str, str], Device]
) -> Finding:  # fmt: skip
    """The finding of one VLAN that others lie on, or shall."""
    first = found[0] if found else None
    parent = first.parent if first else told[0].value
    below = next((one for one in hosts.values() if one.name == parent and one.parent), None)
    outer = first.outer_vid if first else (below.vid if below else None) or named_vid(parent)
    upper = sorted({one.interface for one in found})
    on_it = f"{', '.join(upper[:5])}{' and more' if len(upper) > 5 else ''}" if upper else "tenants' VLANs"
    story = [Step(None, _said(one), one.refs) for one in found[:MOST_CITED]]
    story += [Step(None, f"{one.host}'s nova.conf says vlan_interface={one.value}.", (one.ref,)) for one in told]
    refs = [ref for step in story for ref in step.evidence]
    return Finding(
        kind="stacked-vlan",
        title=f"{on_it} on {parent}: a VLAN on top of a VLAN, full-size frames grow by {TAG_BYTES} octets",
        severity="low" if any(one.spare_bytes is not None for one in found) else "info",
        confidence="likely" if found and told else "possible",
        start=None,
        end=None,
        entities={
            "hosts": tuple(sorted({one.host for one in found} | {one.host for one in told})),
            "interfaces": (*upper[:20], parent),
        },
        facts={
            "outer_vid": outer,
            "inner_vid": first.inner_vid if first else None,
            "overhead_bytes": TAG_BYTES,
            "interface": first.interface if first else None,
            "parent_interface": parent,
            "largest_delivered_bytes": None,
            "smallest_lost_bytes": None,
            "lost_between": None,
            "probes": 0,
            "probes_lost": 0,
        },
        story=tuple(story),
        evidence=tuple(dict.fromkeys(refs)),
        alternatives=(
            Alternative(
                "switches and cards have room for both tags, and nothing is lost",
                "open",
                "no capture shows a full-size frame on its way",
            ),
            Alternative(
                "a provider's service VLAN, which tenants' VLANs are meant to lie in",
                "open",
                "the outer tag is a customer's (802.1Q), but that is used for it, too",
            ),
        ),
        remedy=stack_remedy(upper[0] if upper else "vlanN", parent, below.parent if below else None),
        next_evidence=(
            "captures at both ends of the hop while `ping -M do -s 1472` runs between an instance and outside",
            "the MTU of the switch ports between the hosts",
        ),
    )


def _said(one: Stack) -> str:
    lies = f"{one.host}: {one.interface} (VLAN {one.inner_vid}) lies on {one.parent} (VLAN {one.outer_vid})"
    return f"{lies}, with {one.spare_bytes} octets to spare." if one.spare_bytes is not None else f"{lies}."


def chart_frames(
    finding: Finding,
    host_interfaces: pl.LazyFrame,
    config_options: pl.LazyFrame | None = None,
    packets: pl.LazyFrame | None = None,  # noqa: ARG001  charts get all that findings get
    clocks: pl.LazyFrame | None = None,
) -> dict[str, Any] | None:
    """What `forensics.charts.tag_stacks.tag_stacks` needs to draw a finding.

    Args:
        finding: A `stacked-vlan`.
        host_interfaces: As for `findings`.
        config_options: As for `findings`.
        packets: As for `findings`.
        clocks: As for `findings`.

    Returns:
        ``title`` and ``boxes``: for each host and each device on which no other lies, the devices from the card up:
        ``host``, ``nth`` (0 is the card), ``device``, ``vid``, ``protocol``, ``mtu_bytes``, ``role`` (``plain``,
        ``outer``, ``inner``, ``told``: what nova.conf asks for), ``spare_bytes``, ``source``, ``position``. None where
        no host says what lies on what.
    """
    hosts = devices(host_interfaces, clocks)
    parent = finding.facts["parent_interface"]
    stacked = {(one.host, one.interface): one for one in stacks(hosts) if one.parent == parent}
    told = [one for one in settings(rows_of(config_options, ConfigOption), clocks) if one.value == parent]
    boxes: list[dict[str, Any]] = []
    for chain, (key, one) in enumerate(sorted(stacked.items())):
        boxes += [_box(chain, nth, device, parent, one) for nth, device in enumerate(_down(hosts[key], hosts))]
    seen = {host for host, _ in stacked}
    for chain, said in enumerate((one for one in told if one.host not in seen), len(stacked)):
        below = hosts.get((said.host, parent))
        way = _down(below, hosts) if below else []
        boxes += [_box(chain, nth, device, parent, None) for nth, device in enumerate(way)]
        named = {"vid": named_vid(parent), "role": "outer", "device": parent}
        ask = {"chain": chain, "host": said.host, "source": said.ref.source, "position": _line(said.ref.locator)}
        boxes += [ask | named | {"nth": 0}] if not way else []
        boxes.append(ask | {"nth": max(len(way), 1), "device": "tenants' VLANs", "role": "told"})
    return {"title": finding.title, "boxes": pl.DataFrame(boxes, schema=_BOXES)} if boxes else None


def _down(top: Device, hosts: Mapping[tuple[str, str], Device]) -> list[Device]:
    """A device and those that it lies on, the lowest first."""
    way = [top]
    while (below := hosts.get((top.host, way[0].parent or ""))) is not None and below not in way:
        way.insert(0, below)
    return way


def _box(chain: int, nth: int, device: Device, parent: str, stack: Stack | None) -> dict[str, Any]:
    role = "outer" if device.name == parent else "inner" if stack and device.name == stack.interface else "plain"
    ref = device.refs[-1] if device.refs else None
    return {
        "chain": chain, "host": device.host, "nth": nth, "device": device.name, "vid": vlan_of(device),
        "protocol": device.protocol, "mtu_bytes": device.mtu, "role": role,
        "spare_bytes": stack.spare_bytes if stack and role == "inner" else None,
        "source": ref.source if ref else None, "position": _line(ref.locator) if ref else None,
    }  # fmt: skip


def _line(locator: str) -> int:
    return int(locator.partition(":")[2])


_BOXES = {"chain": pl.Int64, "host": pl.String, "nth": pl.Int64, "device": pl.String, "vid": pl.Int64,
          "protocol": pl.String, "mtu_bytes": pl.Int64, "role": pl.String, "spare_bytes": pl.Int64,
          "source": pl.String, "position": pl.Int64}  # fmt: skip
CHARTS = {"tag_stacks": chart_frames}
