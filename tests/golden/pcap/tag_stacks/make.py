"""One ping under no tag, one, two (both outer types) and four; then MPLS, and a frame cut inside its tags."""

import struct
import sys
from pathlib import Path

from tests._captures import pcap

ICMP = struct.pack(">BBHHH", 8, 0, 0, 77, 1) + b"x" * 28
IP = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(ICMP), 9, 0x4000, 64, 1, 0, b"\x0a\0\0\1", b"\x0a\0\0\2") + ICMP
MACS = bytes.fromhex("fa163e000002fa163e000001")


def tagged(*tags: tuple[int, int]) -> bytes:
    """The ping under these tags, outermost first."""
    stack = b"".join(struct.pack(">HH", kind, tci) for kind, tci in tags)
    return (MACS + stack + b"\x08\x00" + IP).ljust(60, b"\0")


stacks = [(), [(0x8100, 100)], [(0x88A8, 0x6014), (0x8100, 100)], [(0x8100, 20), (0x8100, 100)]]
packets = [(10**18 + n, tagged(*stack)) for n, stack in enumerate(stacks)]
packets.append((10**18 + 10, tagged((0x9100, 1), (0x88A8, 2), (0x8100, 3), (0x8100, 4094))))
packets.append((10**18 + 20, MACS + b"\x88\x47" + struct.pack(">II", 16 << 12 | 64, 17 << 12 | 256 | 64) + IP))
packets.append((10**18 + 30, tagged((0x8100, 20), (0x8100, 100))[:20], 64))
(Path(sys.argv[1]) / "input.pcap").write_bytes(pcap(packets, digits=9))
