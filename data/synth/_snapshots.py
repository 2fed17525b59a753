"""What hosts say of their interfaces: `ip -d link`, `ip a`, `ip -j`, /proc/net/vlan/config, nova.conf."""

from __future__ import annotations

import json
from dataclasses import dataclass

UP = "BROADCAST,MULTICAST,UP,LOWER_UP"


@dataclass(frozen=True)
class Device:
    """One interface; `vlan` is its id and protocol where it is one, `below` what it stands on."""

    name: str
    mac: str
    mtu: int
    below: str | None = None
    vlan: tuple[int, str] | None = None
    master: str | None = None
    kind: str | None = None
    address: str | None = None


def devices(
    mac: str, tap: str | None, mtu: int, bond_mtu: int, parent: str, outer: tuple[int, str] | None,
    inner: int | None, uplink_vid: int, address: str,
) -> list[Device]:  # fmt: skip
    """A nova host: two cards, their bond, the uplink's VLAN, and the tenant's VLAN on `parent` with its bridge."""
    found = [Device(f"eth{n}", mac, bond_mtu, master="bond0") for n in (0, 1)]
    found.append(Device("bond0", mac, bond_mtu, kind="bond"))
    uplink = f"vlan{uplink_vid}"
    found.append(Device(uplink, mac, mtu, "bond0", (uplink_vid, "802.1Q"), address=address))
    if outer is not None and parent != uplink:
        found.append(Device(parent, mac, bond_mtu, "bond0", outer))
    if inner is not None:
        found.append(Device(f"br{inner}", mac, mtu, kind="bridge"))
        found.append(Device(f"vlan{inner}", mac, mtu, parent, (inner, "802.1Q"), f"br{inner}"))
        if tap is not None:
            found.append(Device("vnet0", tap, mtu, master=f"br{inner}", kind="tun"))
    return found


def ip_link(found: list[Device], detailed: bool) -> str:
    """`ip -d link`, or `ip a` where not detailed."""
    lines = []
    for number, device in enumerate(found, 2):
        below = f"@{device.below}" if device.below else ""
        master = f" master {device.master}" if device.master else ""
        mode = " mode DEFAULT group default" if detailed else " group default"
        rest = f"mtu {device.mtu} qdisc noqueue{master} state UP{mode} qlen 1000"
        lines.append(f"{number}: {device.name}{below}: <{UP}> {rest}")
        lines.append(f"    link/ether {device.mac} brd ff:ff:ff:ff:ff:ff" + (" promiscuity 0" if detailed else ""))
        if detailed and device.vlan:
            lines.append(f"    vlan protocol {device.vlan[1]} id {device.vlan[0]} <REORDER_HDR> addrgenmode eui64")
        elif detailed and device.kind:
            lines.append(f"    {device.kind} addrgenmode eui64")
        if not detailed and device.address:
            lines.append(f"    inet {device.address} scope global {device.name}")
            lines.append("       valid_lft forever preferred_lft forever")
    return "\n".join(lines) + "\n"


def ip_json(found: list[Device]) -> str:
    """`ip -d -j link`."""
    told = []
    for number, device in enumerate(found, 2):
        entry: dict[str, object] = {
            "ifindex": number, "ifname": device.name, "flags": UP.split(","), "mtu": device.mtu, "qdisc": "noqueue",
            "operstate": "UP", "linkmode": "DEFAULT", "group": "default", "txqlen": 1000, "link_type": "ether",
            "address": device.mac, "broadcast": "ff:ff:ff:ff:ff:ff",
        }  # fmt: skip
        if device.below:
            entry["link"] = device.below
        if device.master:
            entry["master"] = device.master
        if device.vlan:
            data = {"protocol": device.vlan[1], "id": device.vlan[0], "flags": ["REORDER_HDR"]}
            entry["linkinfo"] = {"info_kind": "vlan", "info_data": data}
        elif device.kind:
            entry["linkinfo"] = {"info_kind": device.kind}
        told.append(entry)
    return json.dumps(told) + "\n"


def proc_vlan(found: list[Device]) -> str:
    """/proc/net/vlan/config."""
    lines = ["VLAN Dev name\t | VLAN ID", "Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD"]
    lines += [f"{d.name:<15}| {d.vlan[0]:<4} | {d.below}" for d in found if d.vlan]
    return "\n".join(lines) + "\n"


def nova_conf(parent: str, address: str, first_vid: int) -> str:
    """nova.conf of a VlanManager cloud."""
    return f"""[DEFAULT]
my_ip={address}
network_manager=nova.network.manager.VlanManager
multi_host=False
vlan_start={first_vid}
vlan_interface={parent}
fixed_range=10.0.0.0/16
network_size=256
libvirt_type=kvm
"""
