"""Bpdu: one spanning-tree BPDU (IEEE 802.1D, 802.1w, 802.1s; PVST+)."""

from __future__ import annotations

from forensics.records._record import Observed, choice, flag, mac_address, many, number, seconds, size, text


class Bpdu(Observed):
    """One BPDU of a capture."""

    kind = choice("which", "STP", "RSTP", "MSTP", "PVST+", "RPVST+", "TCN", "SPB", "unknown")
    eth_src = mac_address("who sent it: fa:16:3e is a guest, not a bridge of a host")
    eth_dst = mac_address("group address")
    vlan_ids = many("VLAN tags, outermost first", number("VLAN", bits=16))
    version = number("protocol version", bits=8, nullable=True)
    bpdu_type = number("type octet", bits=8, nullable=True)
    root_priority = number("priority of the root, with its system id", bits=16, nullable=True)
    root_mac = mac_address("address of the root")
    root_cost = number("cost to the root", bits=32, nullable=True)
    bridge_priority = number("priority of the sender", bits=16, nullable=True)
    bridge_mac = mac_address("address of the sender's bridge")
    port_id = number("port of the sender", bits=16, nullable=True)
    message_age_s = seconds("message age", nullable=True)
    max_age_s = seconds("max age", nullable=True)
    hello_s = seconds("hello time", nullable=True)
    forward_delay_s = seconds("forward delay", nullable=True)
    topology_change = flag("topology change", nullable=True)
    port_role = text("root, designated, alternate, …", nullable=True)
    pvst_vlan = number("originating VLAN of PVST+", bits=16, nullable=True)
    region = text("configuration name of an MSTP region", nullable=True)
    interface = text("interface of the capture", nullable=True)
    frame_bytes = size("length on the wire", nullable=True)
