"""Where the fields of each header lie, and which of them make one column."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = slice | NDArray[Any]
"""Packets of a window: all of them, or their numbers in rising order."""

SLACK: Final = 64
"""Octets that must follow the last captured one in a buffer, so that a gather never has to look where it ends."""

ENDLESS: Final = np.int64(1 << 62)
"""An end that nothing reaches."""

DEPTH: Final = 255
"""Tags, labels or extension headers that one packet may stack; more is `malformed`, and takes no more time."""


def _layout(size: int, **fields: tuple[int, str]) -> np.dtype[Any]:
    names = list(fields)
    return np.dtype(
        {
            "names": names,
            "formats": [fields[name][1] for name in names],
            "offsets": [fields[name][0] for name in names],
            "itemsize": size,
        }
    )


# IEEE 802.3 clause 3; the addresses are read as the upper and the lower 48 bits of a 64-bit word
ETHERNET = _layout(14, destination=(0, ">u8"), source=(4, ">u8"), type=(12, ">u2"))
# IEEE 802.1Q clause 9: the tag's own type stands in the field before it
TAG = _layout(4, control=(0, ">u2"), type=(2, ">u2"))
# IEEE 802.2 with the extension of RFC 1042
SNAP = _layout(8, sap=(0, ">u2"), control=(2, "u1"), organisation=(2, ">u4"), type=(6, ">u2"))
# https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and …_SLL2.html
COOKED = _layout(16, length=(4, ">u2"), source=(6, ">u8"), type=(14, ">u2"))
COOKED2 = _layout(20, type=(0, ">u2"), length=(11, "u1"), source=(12, ">u8"))
FAMILY = _layout(4, little=(0, "<u4"), big=(0, ">u4"))
LLC = _layout(3, sap=(0, ">u2"), control=(2, "u1"))
# RFC 826: what is always there, and the whole for six-octet hardware and four-octet protocol addresses
RESOLVER = _layout(8, protocol=(2, ">u2"), hardware=(4, "u1"), address=(5, "u1"), operation=(6, ">u2"))
ARP = _layout(
    28,
    sender_mac=(8, ">u8"),
    sender_ip=(14, ">u4"),
    target_mac=(16, ">u8"),
    target_ip=(24, ">u4"),
)
# RFC 791
IPV4 = _layout(
    20,
    version=(0, "u1"),
    length=(2, ">u2"),
    id=(4, ">u2"),
    fragment=(6, ">u2"),
    ttl=(8, "u1"),
    protocol=(9, "u1"),
    source=(12, ">u4"),
    destination=(16, ">u4"),
)
# RFC 8200
IPV6 = _layout(
    40,
    version=(0, "u1"),
    length=(4, ">u2"),
    next=(6, "u1"),
    hops=(7, "u1"),
    source_high=(8, ">u8"),
    source_low=(16, ">u8"),
    destination_high=(24, ">u8"),
    destination_low=(32, ">u8"),
)
# RFC 8200 section 4; RFC 2675 for the jumbo payload option, which stands first in its header
EXTENSION = _layout(8, next=(0, "u1"), length=(1, "u1"), fragment=(2, ">u2"), option=(2, ">u2"), word=(4, ">u4"))
# RFC 9293
TCP = _layout(
    20,
    source=(0, ">u2"),
    destination=(2, ">u2"),
    sequence=(4, ">u4"),
    acknowledgement=(8, ">u4"),
    flags=(12, ">u2"),
    window=(14, ">u2"),
)
TCP_OPTION = _layout(4, kind=(0, "u1"), length=(1, "u1"), value=(2, ">u2"))
# RFC 768; SCTP (RFC 9260) begins alike, and so does all that an ICMP error quotes
UDP = _layout(8, source=(0, ">u2"), destination=(2, ">u2"), length=(4, ">u2"))
# RFC 792, RFC 1191, RFC 4443
ICMP = _layout(8, type=(0, "u1"), code=(1, "u1"), id=(4, ">u2"), sequence=(6, ">u2"), word=(4, ">u4"))
# RFC 7348
VXLAN = _layout(8, flags=(0, "u1"), vni=(4, ">u4"))
# RFC 8926
GENEVE = _layout(8, options=(0, "u1"), type=(2, ">u2"), vni=(4, ">u4"))
# RFC 2784, RFC 2890
GRE = _layout(4, flags=(0, ">u2"), type=(2, ">u2"))
WORD = _layout(4, word=(0, ">u4"))
OCTET = _layout(1, octet=(0, "u1"))

# What is known of a packet: one bit a group of columns that come and go together.
(
    ADDRESSES, TYPED, TAGGED, LABELLED, IP, IPV4_ONLY, FRAGMENT, PROTOCOL, PORTS, TCP_FIXED, MSS, LENGTH, PLACE,
    ICMP_KIND, ICMP_ECHO, ICMP_MTU, ARP_HEADER, TUNNEL, TUNNEL_ID, TOTAL,
) = (np.uint32(1 << bit) for bit in range(20))  # fmt: skip

PLAIN: dict[str, tuple[str, np.uint32]] = {
    "ethertype": ("u2", TYPED),
    "ip_version": ("u1", IP),
    "ip_bytes": ("u4", TOTAL),
    "ttl": ("u1", IP),
    "ip_id": ("u4", FRAGMENT),
    "dont_fragment": ("?", IPV4_ONLY),
    "more_fragments": ("?", FRAGMENT),
    "fragment_offset_bytes": ("u2", FRAGMENT),
    "protocol": ("u1", PROTOCOL),
    "src_port": ("u2", PORTS),
    "dst_port": ("u2", PORTS),
    "tcp_flags": ("u2", TCP_FIXED),
    "tcp_seq": ("u4", TCP_FIXED),
    "tcp_ack": ("u4", TCP_FIXED),
    "tcp_window": ("u2", TCP_FIXED),
    "tcp_mss": ("u2", MSS),
    "payload_bytes": ("u4", LENGTH),
    "payload_offset_bytes": ("i8", PLACE),
    "icmp_type": ("u1", ICMP_KIND),
    "icmp_code": ("u1", ICMP_KIND),
    "icmp_id": ("u2", ICMP_ECHO),
    "icmp_seq": ("u2", ICMP_ECHO),
    "icmp_mtu": ("u4", ICMP_MTU),
    "arp_op": ("u2", ARP_HEADER),
    "tunnel_id": ("u4", TUNNEL_ID),
}
"""Columns of whole numbers: their numpy type, and the bit that says where they hold a value."""

NAMED = frozenset(
    {"eth_src", "eth_dst", "src", "dst", "arp_sender_mac", "arp_sender_ip", "arp_target_mac", "arp_target_ip"}
)
"""Columns of addresses: numbers of labels in the address book, 0 where there is none."""

WORDS: dict[str, tuple[str | None, ...]] = {
    "decode_status": ("ok", "cut", "malformed", "unknown"),
    "tunnel": (None, "vxlan", "geneve", "gre"),
}
"""Columns of a few words, kept as their places in these lists."""
OK, CUT, MALFORMED, UNKNOWN = range(4)
VXLAN_WORD, GENEVE_WORD, GRE_WORD = 1, 2, 3

TAG_LISTS = frozenset({"vlan_ids", "vlan_tpids", "vlan_priorities"})
LISTS = TAG_LISTS | {"mpls_labels"}
"""Columns of lists, and the type of what they hold, in `LIST_TYPES`."""
LIST_TYPES = {"vlan_ids": "u2", "vlan_tpids": "u2", "vlan_priorities": "u1", "mpls_labels": "u4"}

QUOTED = frozenset({"src", "dst", "protocol", "ip_id", "src_port", "dst_port"})
"""What is read of a packet that an ICMP error quotes; the columns bear ``quoted_`` before these names."""

LEVEL_COLUMNS = frozenset(PLAIN) | NAMED | LISTS | {f"quoted_{name}" for name in QUOTED}
"""Everything that one level of encapsulation has."""
HEADER_COLUMNS = LEVEL_COLUMNS | {f"inner_{name}" for name in LEVEL_COLUMNS - {"tunnel_id"}} | set(WORDS)
"""Every column of Packet that comes from headers."""

LINK_COLUMNS = frozenset({"eth_src", "eth_dst"})
SHALLOW_COLUMNS = LINK_COLUMNS | TAG_LISTS | {"ethertype"}
"""Known before anything above the link layer is read."""
NETWORK_COLUMNS = SHALLOW_COLUMNS | {
    "mpls_labels",
    "ip_version",
    "src",
    "dst",
    "ip_bytes",
    "ttl",
    "ip_id",
    "dont_fragment",
    "more_fragments",
    "fragment_offset_bytes",
    "protocol",
    "arp_op",
    "arp_sender_mac",
    "arp_sender_ip",
    "arp_target_mac",
    "arp_target_ip",
}
"""Known before anything above the network layer is read."""

# What may begin at a place in a packet.
(
    NOTHING, STACKED, INET, INET6, RESOLUTION, LABELS, SIZED, LOGICAL, IMPOSSIBLE, EITHER_INET, UNTYPED,
    FRAME, COOKED_FRAME, COOKED2_FRAME, HOST_FAMILY, NETWORK_FAMILY, UNDECODED, BROKEN,
) = range(18)  # fmt: skip

KIND = np.zeros(65536, np.uint8)
"""EtherType -> what follows the field."""
KIND[:1501] = SIZED  # a length, not a type: IEEE 802.3 clause 3.2.6
KIND[1501:1536] = IMPOSSIBLE
KIND[[0x8100, 0x88A8, 0x9100, 0x9200, 0x9300]] = STACKED
KIND[0x0800] = INET
KIND[0x86DD] = INET6
KIND[[0x0806, 0x8035]] = RESOLUTION  # ARP, and RARP (RFC 903), which is written alike
KIND[[0x8847, 0x8848]] = LABELS

ENTRY = np.full(65536, UNDECODED, np.uint8)
"""LINKTYPE_ value -> what a packet begins with, see https://www.tcpdump.org/linktypes.html."""
ENTRY[1] = FRAME
ENTRY[113] = COOKED_FRAME
ENTRY[276] = COOKED2_FRAME
# 12 and 14 are DLT_RAW of the BSDs, found in files all the same; 228 and 229 promise one version each
ENTRY[[12, 14, 101, 228, 229]] = EITHER_INET
ENTRY[0] = HOST_FAMILY
ENTRY[108] = NETWORK_FAMILY

EXTENDS = np.zeros(256, bool)
"""IPv6 next headers that are extension headers: hop-by-hop, routing, fragment, AH, destination, mobility."""
EXTENDS[[0, 43, 44, 51, 60, 135]] = True


def pick(rows: Rows, mask: Array) -> Rows:
    """The packets among ``rows`` for which ``mask`` holds, one value a packet."""
    if isinstance(rows, slice):
        return np.flatnonzero(mask)
    return rows[mask]


def count(rows: Rows, n: int) -> int:
    """How many packets ``rows`` names in a window of ``n``."""
    return n if isinstance(rows, slice) else len(rows)
