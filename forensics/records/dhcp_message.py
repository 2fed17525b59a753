"""DhcpMessage: RFC 2131, from a capture or from a log."""

from __future__ import annotations

import dataframely as dy

from forensics.records._record import (
    Observed,
    address,
    choice,
    flag,
    mac_address,
    many,
    number,
    octets,
    ordinal,
    pairs,
    seconds,
    text,
)

MESSAGE_TYPES = ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")
"""RFC 2132 section 9.6, in the order of their values 1 to 8."""


class DhcpMessage(Observed):
    """One DHCP message: sent or received, as a capture, a server or a client saw it.

    A log tells less than a packet: what a line does not say is null.
    """

    seen_by = choice("who says so", "capture", "server", "client", "relay")
    message_type = choice("DHCP message type (option 53)", *MESSAGE_TYPES, nullable=True)
    xid = ordinal("transaction id as sent; dhclient may print it byte-swapped", 32)
    chaddr = mac_address("client hardware address")
    ciaddr = address("client address, set while it has one")
    yiaddr = address("address offered or leased")
    siaddr = address("next server")
    giaddr = address("relay agent")
    requested_ip = address("requested address (option 50)")
    server_id = address("server identifier (option 54)")
    lease_s = seconds("lease time (option 51)", nullable=True)
    renewal_s = seconds("T1 (option 58), or the delay until renewal that a client logs", nullable=True)
    rebinding_s = seconds("T2 (option 59)", nullable=True)
    client_id = text("client identifier (option 61), hexadecimal", nullable=True)
    hostname = text("host name (option 12)", nullable=True)
    broadcast_flag = flag("client asks for a broadcast answer", nullable=True)
    src = address("IP source")
    dst = address("IP destination")
    eth_src = mac_address("source hardware address of the frame")
    eth_dst = mac_address("destination hardware address of the frame")
    vlan_ids = many("VLAN ids, outermost first; null in a log", dy.UInt16())
    interface = text("interface that a log line names, or the capturing one", nullable=True)
    refusal = text("the server's reason, such as `no address available` or `wrong network`", nullable=True)
    options = pairs(
        "all options in wire order, long and overloaded ones joined (RFC 3396)",
        {"code": number("option code", bits=8), "data": octets("option data")},
    )
