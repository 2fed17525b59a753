"""PortEvent: what a switch, a bond, a bridge or a driver did with one port."""

from __future__ import annotations

from forensics.records._record import Observed, choice, mac_address, number, text


class PortEvent(Observed):
    """One change of one port. ``host`` is the switch, or the Linux machine whose kernel said it."""

    interface = text("port as the line names it; null where it concerns the whole switch or bond", nullable=True)
    event = choice(
        "what happened",
        "bpdu_received",  # a BPDU came in on a port that is guarded against them
        "error_disabled",  # the switch shut the port; `cause` says why
        "recovering",  # the switch tries to take it back, by a timer
        "link_down",
        "link_up",
        "protocol_down",  # line protocol, or operational state
        "protocol_up",
        "inactive",  # MLAG or LACP member without its partner
        "active",
        "stp_removed",  # taken out of, or put into, a spanning-tree instance
        "stp_added",
        "stp_change",  # spanning tree changed state or topology
        "blocking",  # a bridge port entered a state
        "listening",
        "learning",
        "forwarding",
        "disabled",
        "enslaved",  # joined a bond or bridge
        "released",
        "no_active_member",  # a bond or channel is without any
        "first_member",  # a bond or channel has one again
        "member_down",  # a bond gave up one of its members; `interface` is the member
        "member_up",
        "promiscuous",
        "own_address",  # a packet came in with the machine's own address: a loop
        "flapping",  # a MAC address moved between ports
        "other",
    )
    state = choice("the port's state after it, where the line tells", "up", "down", "errdisabled", "inactive",
                   nullable=True)  # fmt: skip
    cause = text("why a port was shut, as the switch words it: bpduguard, link-flap, …", nullable=True)
    master = text("bond, bridge, port-channel or MLAG that the port belongs to", nullable=True)
    description = text("the port's description, usually the server behind it", nullable=True)
    mac = mac_address("source address that the line names")
    vlan = text("VLAN or spanning-tree instance named in the line", nullable=True)
    agent = text("agent or process that said it, such as Stp, Ebra, kernel", nullable=True)
    facility = text("facility of the mnemonic: SPANTREE", nullable=True)
    level = number("severity in the mnemonic, 0 to 7", bits=8, nullable=True)
    mnemonic = text("BLOCK_BPDUGUARD", nullable=True)
    vendor = choice("whose wording it is", "arista", "cisco", "juniper", "cumulus", "sonic", "dell", "aruba", "huawei",
                    "linux", "other")  # fmt: skip
    message = text("the line's message")
