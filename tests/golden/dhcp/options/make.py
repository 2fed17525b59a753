"""An ACK with every awkward option: long (in two parts), overloaded into `file`, twice, and one cut short."""

import struct
import sys
from pathlib import Path

from tests._captures import pcap


def bootp(op: int, options: bytes, file: bytes = b"") -> bytes:
    """A BOOTP message with these options."""
    head = struct.pack(">BBBBIHH", op, 1, 6, 0, 0xBF4C49C, 0, 0x8000) + b"\x0a\0\0\5" + b"\x0a\0\0\5" + bytes(8)
    return head + bytes.fromhex("fa163e24e722") + bytes(10) + bytes(64) + file.ljust(128, b"\0") + b"c\x82Sc" + options


def packet(payload: bytes) -> bytes:
    """The message from the server, in one tag."""
    udp = struct.pack(">HHHH", 67, 68, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b"\x0a\0\0\1", b"\xff" * 4)
    return bytes.fromhex("ffffffffffff fa163e000001 8100 0064 0800") + ip + udp


lease = bytes([53, 1, 5, 51, 4]) + struct.pack(">I", 120) + bytes([54, 4, 10, 0, 0, 1, 58, 4, 0, 0, 0, 57])
long = bytes([43, 3]) + b"abc" + bytes([43, 2]) + b"de"
whole = packet(bootp(2, bytes([52, 1, 1]) + lease + long + b"\xff", bytes([12, 5]) + b"web-3" + b"\xff"))
short = packet(bootp(2, lease + bytes([61, 200, 1])))
(Path(sys.argv[1]) / "input.pcap").write_bytes(pcap([(10**18, whole), (10**18 + 1, short)]))
