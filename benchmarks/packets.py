"""Reading captures: ours beside what an operator could use instead, in turns on one machine.

    python benchmarks/packets.py [--mib 1024] [--runs 3] [--json FILE] [--without tshark]

Ours is timed as in a running notebook, once all is imported: with the compiled engine and the reference, on one core
and on two. With the compiled one the 25 columns are to take no more than 3 times as long as `tcpdump -w /dev/null` on
one core, and 1.2 times on two; a 25th of a loop over dpkt, an 80th of `tshark -T fields`; and into Parquet a second
for 500 MiB. A filter on a port may take 0.9 of the time of the whole, and the scan into Parquet 256 MiB however large
the capture.

A loop over scapy's PcapReader that touches five fields, pcaptoparquet, and NFStream, which makes flows and no packets,
are given the beginning of the capture only, for all of it would take them minutes: their times are scaled to its size,
and their names say so. Each lives in a virtual environment of its own in the folder ``--peers``, outside of ours; the
one that is not there is left out, and what makes it is printed.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from _measure import Command, measure, save, table

COLUMNS = (
    "ts captured_bytes wire_bytes eth_dst eth_src vlan_ids vlan_tpids ethertype src dst protocol ttl ip_id "
    "fragment_offset_bytes src_port dst_port tcp_flags tcp_seq tcp_ack icmp_type icmp_code icmp_id icmp_seq "
    "payload_offset_bytes payload_bytes"
)
FIELDS = (
    "frame.time_epoch frame.cap_len frame.len eth.dst eth.src vlan.id ieee8021ad.id eth.type ip.src ip.dst ip.proto "
    "ip.ttl ip.id ip.frag_offset ipv6.src ipv6.dst tcp.srcport tcp.dstport udp.srcport udp.dstport tcp.flags "
    "tcp.seq_raw tcp.ack_raw icmp.type icmp.code icmp.ident icmp.seq"
)
CACHE = Path.home() / ".cache" / "cloud-forensics" / "peers"
OURS = """
import resource, sys, time
import polars as pl
from forensics import scan_packets

def cpu():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])

packets = scan_packets(sys.argv[1])
columns = {columns!r}
packets.select(columns).head(100).collect()
started = time.perf_counter(), cpu()
{action}
print(time.perf_counter() - started[0], cpu() - started[1])
"""
DPKT = """
import dpkt, sys, time
n = 0
started = time.perf_counter(), time.process_time()
with open(sys.argv[1], "rb") as file:
    for stamp, octets in dpkt.pcap.Reader(file):
        try:
            frame = dpkt.ethernet.Ethernet(octets)
        except dpkt.UnpackError:
            continue
        packet = frame.data
        if isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
            n += len(packet.src) + len(packet.dst)
            if isinstance(packet.data, (dpkt.tcp.TCP, dpkt.udp.UDP)):
                n += packet.data.sport + packet.data.dport
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""
SCAPY = """
import sys, time
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader
n = 0
started = time.perf_counter(), time.process_time()
with PcapReader(sys.argv[1]) as packets:
    for frame in packets:
        packet = frame.getlayer(IP) or frame.getlayer(IPv6)
        if packet is not None:
            n += len(packet.src) + len(packet.dst)
            segment = packet.getlayer(TCP) or packet.getlayer(UDP)
            if segment is not None:
                n += segment.sport + segment.dport
scale = float(sys.argv[2])
print((time.perf_counter() - started[0]) * scale, (time.process_time() - started[1]) * scale)
"""
PCAPTOPARQUET = """
import sys, time
from pcaptoparquet import E2EConfig, E2EPcap
started = time.perf_counter(), time.process_time()
E2EPcap(None, "Unknown", sys.argv[1], E2EConfig()).export("parquet", sys.argv[1] + ".parquet")
scale = float(sys.argv[2])
print((time.perf_counter() - started[0]) * scale, (time.process_time() - started[1]) * scale)
"""
NFSTREAM = """
import resource, sys, time
from nfstream import NFStreamer

def cpu():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

started = time.perf_counter(), cpu()
flows = sum(1 for flow in NFStreamer(source=sys.argv[1], n_dissections=0, decode_tunnels=False))
scale = float(sys.argv[2])
print((time.perf_counter() - started[0]) * scale, (cpu() - started[1]) * scale)
"""
PEERS = {"scapy": (8, SCAPY), "pcaptoparquet": (8, PCAPTOPARQUET), "nfstream": (64, NFSTREAM)}
"""By their name at PyPI: how many MiB of the capture they are given, and the program."""


def peers(capture: Path, scratch: Path, folder: Path) -> list[Command]:
    """Those that are installed, each on the beginning of the capture; says how to have the others."""
    found = []
    for name, (mib, program) in PEERS.items():
        python = folder / name / "bin" / "python"
        tried = f"no {python}"
        if python.exists():
            done = subprocess.run([python, "-c", f"import {name}"], capture_output=True, text=True, check=False)
            tried = (done.stderr.strip().splitlines() or ["ends with an error"])[-1] if done.returncode else ""
        if tried:
            print(f"{name} is left out: {tried}", file=sys.stderr)
            print(f"  python -m venv {folder / name} && {python} -m pip install {name}", file=sys.stderr)
            continue
        part = scratch / f"first_{mib}.pcap"
        scale = capture.stat().st_size / beginning(capture, part, mib << 20)
        label = name if scale == 1 else f"{name}, {mib} MiB scaled"
        found.append(Command(label, [str(python), "-c", program, str(part), str(scale)], runs=1, tells=True))
    return found


def beginning(capture: Path, part: Path, size: int) -> int:
    """Write the first packets of a capture, little-endian, into a file of its own; gives the octets of that."""
    with capture.open("rb") as file:
        octets = file.read(size)
    end = 24
    while end + 16 <= len(octets):
        after = end + 16 + struct.unpack_from("<I", octets, end + 8)[0]
        if after > len(octets):
            break
        end = after
    return part.write_bytes(octets[:end])


def commands(capture: Path, scratch: Path, without: set[str], folder: Path) -> list[Command]:
    """What is measured: ours first, then whatever of the others is installed."""
    python, path = sys.executable, str(capture)
    parquet = str(scratch / "packets.parquet")
    actions = {
        "frame": "packets.select(columns).collect()",
        "parquet": f"packets.select(columns).sink_parquet({parquet!r})",
        "filter on a port": "packets.filter(pl.col('dst_port') == 67).select(columns).collect()",
        "four columns": "packets.select('ts', 'src', 'dst', 'dst_port').collect()",
        "count": "packets.select(pl.len()).collect()",
        "every column into parquet": f"packets.sink_parquet({parquet!r})",
    }
    found = []
    for engine in ("compiled", "reference"):
        for name, action in actions.items():
            program = OURS.format(columns=COLUMNS.split(), action=action)
            for cores in (1, 2) if name in ("frame", "parquet") else (2,):
                env = {"FORENSICS_ENGINE": engine, "POLARS_MAX_THREADS": str(cores)}
                label = f"{name}, {engine}, {cores} cores"
                found.append(Command(label, [python, "-c", program, path], env=env, cores=cores, tells=True))
    found += [
        Command("imports", [python, "-c", OURS.split("def")[0], path]),
        Command("cat", ["cat", path]),
        Command("capinfos", ["capinfos", "-c", path]),
        Command("tcpdump", ["tcpdump", "-nr", path, "-w", "/dev/null"]),
        Command("dpkt", [python, "-c", DPKT, path], runs=1, tells=True),
    ]
    fields = [word for field in FIELDS.split() for word in ("-e", field)]
    whole = ["-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"]
    found.append(Command("tshark", ["tshark", "-n", *whole, "-r", path, "-T", "fields", *fields], runs=1))
    found += peers(capture, scratch, folder)
    return [one for one in found if one.name not in without and shutil.which(one.argv[0])]


def main() -> None:
    """Make a capture, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=float, default=1024, help="size of the capture")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each command, after one that is not")
    parser.add_argument("--json", type=Path, help="where to put the figures")
    parser.add_argument("--without", nargs="*", default=[], help="commands to leave out")
    parser.add_argument("--folder", type=Path, help="where to make the capture; a temporary folder otherwise")
    parser.add_argument(
        "--peers", type=Path, default=CACHE, help="virtual environments of scapy and others: %(default)s"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        capture = Path(folder) / "capture.pcap"
        # not in this process: a child's peak begins with the size of its parent
        subprocess.run([sys.executable, Path(__file__).with_name("gen_pcap.py"), capture, str(wanted.mib)], check=True)
        figures = measure(commands(capture, Path(folder), set(wanted.without), wanted.peers), runs=wanted.runs)
    others = [row.name for row in figures if row.name.partition(",")[0] in PEERS]
    print(table(figures, against=("tcpdump", "dpkt", "tshark", *others)))
    if wanted.json:
        save(figures, wanted.json)


if __name__ == "__main__":
    main()
