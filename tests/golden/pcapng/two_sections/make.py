"""Two sections of unlike byte order; interface 0 of the second is another one, with nanoseconds and an offset."""

import struct
import sys
from pathlib import Path

from tests._captures import Pcapng

FRAME = bytes.fromhex(
    "fa163e000002fa163e000001 0800 4500001c00010000401100000a0000010a000002 00440043000800 00"
) + bytes(18)
file = Pcapng().section().interface(options=[(2, b"eth0")]).packet(10**15, FRAME, options=[(1, b"the first")])
file.statistics(10**15 + 5, options=[(4, struct.pack("<Q", 9)), (5, struct.pack("<Q", 3))]).simple_packet(FRAME)
file.section(big_endian=True)
file.interface(options=[(2, b"tap0"), (9, b"\x09"), (14, struct.pack(">q", 3600))])
file.packet(10**18, FRAME).custom(32473, b"of someone else").obsolete_packet(10**18 + 1, FRAME, drops=2)
(Path(sys.argv[1]) / "input.pcapng").write_bytes(file.octets)
