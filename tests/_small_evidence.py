"""A small folder of evidence, made in a moment: two logs, one capture, and what nobody understands."""

import gzip
import os
import struct
from pathlib import Path

LINES = [
    "Feb 15 01:40:{:02d} node1 dnsmasq-dhcp[812]: DHCPREQUEST(br100) 10.0.0.5 fa:16:3e:24:e7:22 ",
    "Feb 15 01:40:{:02d} node1 dnsmasq-dhcp[812]: DHCPACK(br100) 10.0.0.5 fa:16:3e:24:e7:22 web-3",
    "Feb 15 01:40:{:02d} node1 kernel: [ 1234.567890] br100: port 2(vnet0) entered forwarding state",
]
MODIFIED_S = 1_360_900_000  # 15 February 2013


def log(lines: int = 30) -> bytes:
    return "".join(LINES[n % 3].format(n % 60) + "\n" for n in range(lines)).encode()


def capture(packets: int = 20) -> bytes:
    """A pcap with UDP packets between two addresses on VLAN 100."""
    data = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for n in range(packets):
        source, target = ((10, 0, 0, 5), (10, 0, 0, 1)) if n % 2 else ((10, 0, 0, 1), (10, 0, 0, 5))
        udp = struct.pack("!HHHH", 5000, 53, 8 + 20, 0) + bytes(20)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0, bytes(source), bytes(target))
        frame = bytes.fromhex("fa163e24e722 002590000001") + struct.pack("!HHH", 0x8100, 100, 0x0800) + ip + udp
        data.append(struct.pack("<IIII", MODIFIED_S + n, 1000 * n, len(frame), len(frame)) + frame)
    return b"".join(data)


def small_evidence(folder: Path) -> Path:
    """Write it, modification times and all."""
    files = {
        "case.toml": b'title = "A small incident"\n[[source]]\nmatch = "node1/*"\nzone = "UTC"\n',
        "node1/syslog": log(),
        "node1/syslog.1.gz": gzip.compress(log(12), mtime=0),
        "node1/br100.pcap": capture(),
        "node2/empty.log": b"",
        "node2/blob.bin": bytes(range(256)) * 8,
    }
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (MODIFIED_S, MODIFIED_S))
    return folder
