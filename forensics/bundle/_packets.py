"""One packet as it may be shared: cut behind its headers, and its addresses replaced with the checksums mended."""

from __future__ import annotations

from forensics.bundle import _dhcp as dhcp
from forensics.bundle._checksums import mend, number
from forensics.bundle._layer2 import bpdu, lacp, lldp
from forensics.bundle._nd import neighbour
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._text import Text

_TAGS = frozenset((0x8100, 0x88A8, 0x9100, 0x9200, 0x9300))
_RAW = frozenset((12, 14, 101, 228, 229))
_ETHERNET, _LOOPBACK, _SLL, _SLL2 = 1, (0, 108), 113, 276
_DEEPEST = 8
_ROUTING, _FRAGMENT = 43, 44
_VXLAN, _GENEVE = (4789, 8472, 4790), 6081


class Packet:
    """A captured packet.

    Args:
        octets: What was captured of it.
        own: What to replace addresses by; None to replace none.
        text: What to replace names by.
    """

    def __init__(self, octets: bytes, own: Pseudonyms | None, text: Text) -> None:
        self.old = octets
        self.new = bytearray(octets)
        self._own = own
        self._text = text

    def shared(self, link_type: int, *, payload: bool = False) -> bytes:
        """The packet, without its payload unless that is asked for or the protocol is all header.

        Kept whole: DHCP, ARP, spanning tree, LLDP, LACP, and of ICMP all but what an echo carries.
        """
        end = min(self._link(link_type), len(self.new))
        return bytes(self.new if payload and self._own is None else self.new[:end])

    def _link(self, link_type: int) -> int:
        if link_type == _ETHERNET:
            return self.ethernet(0, 0)
        if link_type in _RAW:
            return self._ip(0, 0)
        if link_type in _LOOPBACK:
            return self._ip(4, 0)
        if link_type == _SLL:
            return self._cooked(16, 14, 2, 6)
        if link_type == _SLL2:
            return self._cooked(20, 0, 8, 12)
        return 0

    def _cooked(self, size: int, kind: int, hardware: int, address: int) -> int:
        """Linux cooked captures: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html."""
        if not self._has(0, size):
            return 0
        if self._own is not None:
            if self._word(hardware) in (1, 772):
                self.mac(address)
            else:
                self.new[address : address + 8] = bytes(8)
        return self._ether(self._word(kind), size, 0)

    def _has(self, at: int, size: int) -> bool:
        return at + size <= len(self.old)

    def _word(self, at: int) -> int:
        return int.from_bytes(self.old[at : at + 2], "big")

    def mac(self, at: int) -> None:
        """Replace a MAC."""
        if self._own is not None and self._has(at, 6):
            self.new[at : at + 6] = self._own.mac(self.old[at : at + 6])

    def ipv4(self, at: int) -> None:
        """Replace an IPv4 address."""
        if self._own is not None and self._has(at, 4):
            self.new[at : at + 4] = self._own.ipv4(int.from_bytes(self.old[at : at + 4], "big")).to_bytes(4, "big")

    def ipv6(self, at: int) -> None:
        """Replace an IPv6 address."""
        if self._own is not None and self._has(at, 16):
            self.new[at : at + 16] = self._own.ipv6(int.from_bytes(self.old[at : at + 16], "big")).to_bytes(16, "big")

    def ethernet(self, at: int, depth: int) -> int:
        """An Ethernet frame; where its headers end."""
        if not self._has(at, 14):
            return at if self._own is not None else len(self.old)
        self.mac(at)
        self.mac(at + 6)
        return self._ether(self._word(at + 12), at + 14, depth)

    def _ether(self, kind: int, at: int, depth: int) -> int:
        while kind in _TAGS and self._has(at, 4):
            kind, at = self._word(at + 2), at + 4
        if depth > _DEEPEST:
            return at
        match kind:
            case 0x0800 | 0x86DD:
                return self._ip(at, depth)
            case 0x0806 | 0x8035:
                return self._arp(at)
            case 0x6558:
                return self.ethernet(at, depth + 1)
            case 0x88CC:
                return lldp(self.new, at, self._own, self._text)
            case 0x8809:
                return lacp(self.new, at, self._own)
            case 0x8847 | 0x8848:
                return self._labels(at, depth)
        return self._llc(at, kind) if kind <= 1500 else at

    def _llc(self, at: int, length: int) -> int:
        head = self.old[at : at + 8]
        end = min(at + length, len(self.old))
        if head[:3] == b"\x42\x42\x03":
            return bpdu(self.new, at + 3, end, self._own)
        if head == b"\xaa\xaa\x03\x00\x00\x0c\x01\x0b":  # PVST+
            return bpdu(self.new, at + 8, end, self._own)
        return min(at + 8, end) if head[:2] == b"\xaa\xaa" else min(at + 3, end)

    def _labels(self, at: int, depth: int) -> int:
        while self._has(at, 4):
            at += 4
            if self.old[at - 2] & 1:
                return self._ip(at, depth) if self.old[at : at + 1] and self.old[at] >> 4 in (4, 6) else at
        return at

    def _arp(self, at: int) -> int:
        if not self._has(at, 28) or self._word(at + 2) != 0x0800 or self.old[at + 4 : at + 6] != b"\x06\x04":
            return min(at + 8, len(self.old))
        for place in (at + 8, at + 18):
            self.mac(place)
            self.ipv4(place + 6)
        return at + 28

    def _ip(self, at: int, depth: int) -> int:
        version = self.old[at] >> 4 if self._has(at, 1) else 0
        if depth > _DEEPEST or version not in (4, 6):
            return at
        if version == 6:
            return self._ip6(at, depth)
        size = (self.old[at] & 15) * 4
        if size < 20 or not self._has(at, size):
            return at if self._own is not None else len(self.old)
        self.ipv4(at + 12)
        self.ipv4(at + 16)
        if self._own is not None and size > 20:
            self.new[at + 20 : at + size] = self._without_options(self.old[at + 20 : at + size])
        mend(self.new, self.old, at + 10, at, at + size)
        total = self._word(at + 2)
        end = min(at + total, len(self.old)) if total >= size else len(self.old)
        if self._word(at + 6) & 0x1FFF:
            return at + size
        return self._upper(self.old[at + 9], at + size, end, self._grown(at + 12, at + 20), depth)

    @staticmethod
    def _without_options(options: bytes) -> bytes:
        """Options that hold addresses (record route, source routes, timestamps) become no-operations (RFC 791)."""
        made, at = bytearray(options), 0
        while at + 1 < len(made) and made[at] != 0:
            size = 1 if made[at] == 1 else max(2, made[at + 1])
            if made[at] in (7, 68, 131, 137):
                made[at : at + size] = b"\x01" * len(made[at : at + size])
            at += size
        return bytes(made)

    def _grown(self, start: int, end: int) -> int:
        return number(self.new[start:end]) - number(self.old[start:end])

    def _ip6(self, at: int, depth: int) -> int:
        if not self._has(at, 40):
            return at if self._own is not None else len(self.old)
        self.ipv6(at + 8)
        self.ipv6(at + 24)
        end = min(at + 40 + (self._word(at + 4) or len(self.old)), len(self.old))
        grown, kind, place = self._grown(at + 8, at + 40), self.old[at + 6], at + 40
        while kind in (0, _ROUTING, _FRAGMENT, 60):
            size = 8 if kind == _FRAGMENT else 8 + 8 * self.old[place + 1] if self._has(place, 2) else 8
            if not self._has(place, size):
                return place if self._own is not None else len(self.old)
            if kind == _FRAGMENT and self._word(place + 2) >> 3:
                return place + 8
            if kind == _ROUTING:
                for address in range(place + 8, place + size - 15, 16):
                    self.ipv6(address)
            kind, place = self.old[place], place + size
        return self._upper(kind, place, end, grown, depth)

    def _upper(self, kind: int, at: int, end: int, grown: int, depth: int) -> int:
        """A protocol by its number at IANA; where its headers end."""
        match kind:
            case 6:
                size = (self.old[at + 12] >> 4) * 4 if self._has(at, 13) else 20
                mend(self.new, self.old, at + 16, at, end, grown)
                return min(at + max(size, 20), end)
            case 17:
                after = self._udp(at, end, depth)
                mend(self.new, self.old, at + 6, at, end, grown, optional=True)
                return after
            case 1:
                after = self._icmp(at, end, depth)
                mend(self.new, self.old, at + 2, at, end)
                return after
            case 58:
                quoted = self._has(at, 1) and self.old[at] < 5
                after = self._ip(at + 8, depth + 1) if quoted else neighbour(self, at, end)
                mend(self.new, self.old, at + 2, at, end, grown)
                return min(after, end)
            case 4 | 41:
                return self._ip(at, depth + 1)
            case 47:
                return self._gre(at, end, depth)
            case 2:
                return min(at + 8, end)
            case 132:
                return min(at + 12, end)
        return at

    def _udp(self, at: int, end: int, depth: int) -> int:
        if not self._has(at, 8):
            return end
        ports = (self._word(at), self._word(at + 2))
        if {67, 68} & set(ports) and end - at > 8 + 28:
            if self._own is not None:
                dhcp.rewrite(self.new, at + 8, end, self._own, self._text)
            return end
        if ports[1] in _VXLAN and self._has(at + 8, 8):
            return self.ethernet(at + 16, depth + 1)
        if ports[1] == _GENEVE and self._has(at + 8, 8):
            return self._ether(self._word(at + 10), at + 16 + (self.old[at + 8] & 63) * 4, depth + 1)
        return at + 8

    def _icmp(self, at: int, end: int, depth: int) -> int:
        kind = self.old[at] if self._has(at, 1) else None
        if kind == 5:
            self.ipv4(at + 4)
        if kind in (3, 4, 5, 11, 12):
            return min(self._ip(at + 8, depth + 1), end)
        return min(at + 8, end)

    def _gre(self, at: int, end: int, depth: int) -> int:
        if not self._has(at, 4):
            return at
        flags = self._word(at)
        if flags & 7:  # version 1 is PPTP
            return at + 4
        inside = at + 4 + 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
        after = self._ether(self._word(at + 2), inside, depth + 1)
        if flags & 0x8000:
            mend(self.new, self.old, at + 4, at, end)
        return after
