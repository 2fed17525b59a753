"""Reading captures: ours beside what an operator could use instead, whole processes, imports and all.

    python benchmarks/packets.py [--mib 1024] [--runs 3] [--json FILE] [--without tshark]

Ours has to be at least 9 times as fast as a loop over dpkt, and 30 times as fast as `tshark -T fields`;
a filter on a port may take 0.9 of the time of the whole, and a scan into Parquet 256 MiB however large the capture.
"""

from __future__ import annotations

import argparse
import shutil
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
OURS = "import sys, polars as pl; from forensics import scan_packets; packets = scan_packets(sys.argv[1]); "
SELECT = f".select({COLUMNS.split()!r})"
DPKT = """
import dpkt, sys
n = 0
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
print(n)
"""


def commands(capture: Path, scratch: Path, without: set[str]) -> list[Command]:
    """What is measured: ours first, then whatever of the others is installed."""
    python, path = sys.executable, str(capture)
    sink = f"packets{SELECT}.sink_parquet({str(scratch / 'packets.parquet')!r})"
    port = f"packets.filter(pl.col('dst_port') == 67){SELECT}.collect()"
    found = [
        Command("frame", [python, "-c", f"{OURS}packets{SELECT}.collect()", path]),
        Command("filter on a port", [python, "-c", OURS + port, path]),
        Command(
            "four columns", [python, "-c", f"{OURS}packets.select('ts', 'src', 'dst', 'dst_port').collect()", path]
        ),
        Command("count", [python, "-c", f"{OURS}packets.select(pl.len()).collect()", path]),
        Command("first 1000", [python, "-c", f"{OURS}packets{SELECT}.head(1000).collect()", path]),
        Command("parquet", [python, "-c", OURS + sink, path]),
        Command("imports", [python, "-c", OURS.removesuffix("packets = scan_packets(sys.argv[1]); "), path]),
        Command("cat", ["cat", path]),
        Command("capinfos", ["capinfos", "-c", path]),
        Command("tcpdump -w", ["tcpdump", "-nr", path, "-w", "/dev/null"]),
        Command("dpkt", [python, "-c", DPKT, path]),
    ]
    fields = [word for field in FIELDS.split() for word in ("-e", field)]
    whole = ["-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"]
    found.append(Command("tshark", ["tshark", "-n", *whole, "-r", path, "-T", "fields", *fields], runs=1))
    return [one for one in found if one.name not in without and shutil.which(one.argv[0])]


def main() -> None:
    """Make a capture, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=float, default=1024, help="size of the capture")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each command, after one that is not")
    parser.add_argument("--json", type=Path, help="where to put the figures")
    parser.add_argument("--without", nargs="*", default=[], help="commands to leave out")
    parser.add_argument("--folder", type=Path, help="where to make the capture; a temporary folder otherwise")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        capture = Path(folder) / "capture.pcap"
        # not in this process: a child's peak begins with the size of its parent
        subprocess.run([sys.executable, Path(__file__).with_name("gen_pcap.py"), capture, str(wanted.mib)], check=True)
        figures = measure(commands(capture, Path(folder), set(wanted.without)), runs=wanted.runs)
    print(table(figures, against=("dpkt", "tshark", "frame")))
    if wanted.json:
        save(figures, wanted.json)


if __name__ == "__main__":
    main()
