"""Six packets; the length of the third says 2 GiB, and the file ends inside the last."""

import struct
import sys
from pathlib import Path

from tests._captures import pcap, pcap_record

ARP = bytes.fromhex("ffffffffffff fa163e000001 0806 0001080006040001 fa163e000001 0a000001 000000000000 0a000002")
frames = [ARP[:-1] + bytes([n]) + bytes(18) for n in range(6)]
parts = [pcap_record((10**18 + n * 10**9, frame)) for n, frame in enumerate(frames)]
parts[2] = parts[2][:8] + struct.pack("<I", 2**31 - 1) + parts[2][12:]
(Path(sys.argv[1]) / "input.pcap").write_bytes(pcap([]) + b"".join(parts)[:-7])
