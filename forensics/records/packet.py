"""Packet: one captured packet, headers flattened."""

from __future__ import annotations

import dataframely as dy

from forensics.records._record import (
    Observed,
    address,
    choice,
    flag,
    mac_address,
    many,
    ordinal,
    size,
    text,
)


class Packet(Observed):
    """One captured packet. A column is null where the packet has no such header, or where it was cut off.

    Column order is part of the contract. ``host`` is the capture point. For what
    the packet carries inside a tunnel the same names stand with ``inner_``.
    """

    interface = text("name of the capturing interface, where the file says it", nullable=True)
    interface_id = ordinal("interface as the file numbers it, over all sections (0 in a pcap)", 32)
    link_type = ordinal("LINKTYPE_ value of the interface", 16)
    wire_bytes = size("length on the wire", bits=32)
    captured_bytes = size("length kept in the file", bits=32)
    comment = text("the packet's comment (pcapng option 1)", nullable=True)
    after_gap = flag("stands after a damaged stretch with nothing sound between")
    decode_status = choice(
        "how far the headers could be read",
        "ok",  # every header there is was decoded, or it is a protocol that has no columns here
        "cut",  # the capture ends inside a header
        "malformed",  # a header contradicts itself
        "unknown",  # a link type without decoder
    )

    eth_src = mac_address("source hardware address")
    eth_dst = mac_address("destination hardware address")
    ethertype = ordinal("EtherType after all tags; null for 802.3 frames without SNAP", 16)
    vlan_ids = many("VLAN ids, outermost first; empty list where untagged", dy.UInt16())
    vlan_tpids = many("tag types (0x8100, 0x88a8, …), outermost first", dy.UInt16())
    vlan_priorities = many("priority code points, outermost first", dy.UInt8())
    mpls_labels = many("MPLS labels, outermost first; null where there are none", dy.UInt32())

    ip_version = ordinal("4 or 6", 8)
    src = address("source address")
    dst = address("destination address")
    ip_bytes = size("IPv4 total length, or IPv6 payload length + 40", bits=32, nullable=True)
    ttl = ordinal("time to live, or hop limit", 8)
    ip_id = ordinal("identification (of the fragment header in IPv6)", 32)
    dont_fragment = flag("DF; null in IPv6", nullable=True)
    more_fragments = flag("MF; null in IPv6 without fragment header", nullable=True)
    fragment_offset_bytes = size("offset of this fragment", bits=16, nullable=True)
    protocol = ordinal("transport protocol, after extension headers", 8)
    src_port = ordinal("TCP, UDP or SCTP source port", 16)
    dst_port = ordinal("TCP, UDP or SCTP destination port", 16)
    tcp_flags = ordinal("twelve bits: reserved 3, NS, CWR, ECE, URG, ACK, PSH, RST, SYN, FIN", 16)
    tcp_seq = ordinal("sequence number as sent", 32)
    tcp_ack = ordinal("acknowledgement number as sent", 32)
    tcp_window = ordinal("window as sent, not scaled", 16)
    tcp_mss = ordinal("maximum segment size option", 16)
    payload_bytes = size("octets after the transport header, by the headers' own lengths", bits=32, nullable=True)
    payload_offset_bytes = size("where those start in the source, decompressed", nullable=True)

    icmp_type = ordinal("ICMP or ICMPv6 type", 8)
    icmp_code = ordinal("ICMP or ICMPv6 code", 8)
    icmp_id = ordinal("identifier of echo and its kin", 16)
    icmp_seq = ordinal("sequence number of echo and its kin", 16)
    icmp_mtu = ordinal("MTU of fragmentation needed and packet too big", 32)
    quoted_src = address("source of the packet that an ICMP error quotes")
    quoted_dst = address("destination of the quoted packet")
    quoted_protocol = ordinal("protocol of the quoted packet", 8)
    quoted_ip_id = ordinal("identification of the quoted packet", 32)
    quoted_src_port = ordinal("source port of the quoted packet", 16)
    quoted_dst_port = ordinal("destination port of the quoted packet", 16)

    arp_op = ordinal("1 request, 2 reply", 16)
    arp_sender_mac = mac_address("sender hardware address")
    arp_sender_ip = address("sender protocol address")
    arp_target_mac = mac_address("target hardware address")
    arp_target_ip = address("target protocol address")

    tunnel = choice("what carries an inner packet", "vxlan", "geneve", "gre", nullable=True)
    tunnel_id = ordinal("VNI, or GRE key", 32)

    inner_eth_src = mac_address("of the inner packet")
    inner_eth_dst = mac_address("of the inner packet")
    inner_ethertype = ordinal("of the inner packet", 16)
    inner_vlan_ids = many("of the inner packet; null where there is none", dy.UInt16())
    inner_vlan_tpids = many("of the inner packet", dy.UInt16())
    inner_vlan_priorities = many("of the inner packet", dy.UInt8())
    inner_mpls_labels = many("of the inner packet", dy.UInt32())
    inner_ip_version = ordinal("of the inner packet", 8)
    inner_src = address("of the inner packet")
    inner_dst = address("of the inner packet")
    inner_ip_bytes = size("of the inner packet", bits=32, nullable=True)
    inner_ttl = ordinal("of the inner packet", 8)
    inner_ip_id = ordinal("of the inner packet", 32)
    inner_dont_fragment = flag("of the inner packet", nullable=True)
    inner_more_fragments = flag("of the inner packet", nullable=True)
    inner_fragment_offset_bytes = size("of the inner packet", bits=16, nullable=True)
    inner_protocol = ordinal("of the inner packet", 8)
    inner_src_port = ordinal("of the inner packet", 16)
    inner_dst_port = ordinal("of the inner packet", 16)
    inner_tcp_flags = ordinal("of the inner packet", 16)
    inner_tcp_seq = ordinal("of the inner packet", 32)
    inner_tcp_ack = ordinal("of the inner packet", 32)
    inner_tcp_window = ordinal("of the inner packet", 16)
    inner_tcp_mss = ordinal("of the inner packet", 16)
    inner_payload_bytes = size("of the inner packet", bits=32, nullable=True)
    inner_payload_offset_bytes = size("of the inner packet", nullable=True)
    inner_icmp_type = ordinal("of the inner packet", 8)
    inner_icmp_code = ordinal("of the inner packet", 8)
    inner_icmp_id = ordinal("of the inner packet", 16)
    inner_icmp_seq = ordinal("of the inner packet", 16)
    inner_icmp_mtu = ordinal("of the inner packet", 32)
    inner_quoted_src = address("of the inner packet")
    inner_quoted_dst = address("of the inner packet")
    inner_quoted_protocol = ordinal("of the inner packet", 8)
    inner_quoted_ip_id = ordinal("of the inner packet", 32)
    inner_quoted_src_port = ordinal("of the inner packet", 16)
    inner_quoted_dst_port = ordinal("of the inner packet", 16)
    inner_arp_op = ordinal("of the inner packet", 16)
    inner_arp_sender_mac = mac_address("of the inner packet")
    inner_arp_sender_ip = address("of the inner packet")
    inner_arp_target_mac = mac_address("of the inner packet")
    inner_arp_target_ip = address("of the inner packet")


CONTAINER_COLUMNS = (
    *Observed.column_names(),
    *("interface", "interface_id", "link_type", "wire_bytes", "captured_bytes", "comment", "after_gap"),
)
"""What the container alone says: known even where no header can be decoded."""

__all__ = ["CONTAINER_COLUMNS", "Packet"]
