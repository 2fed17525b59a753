"""Peak memory and time of the clocks of a cloud, against the number of DHCP messages that tie them.

    python benchmarks/clocks.py [--messages 400000 2000000 8000000] [--scratch FOLDER]

Three captures and ten servers' logs hold the renewals of 2,000 clients over 400 days, and the logs of 200 of these hold
their own; every clock is off. Peaks are of anonymous pages.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from _measure import Command, machine, measure

from forensics.records import DhcpMessage

RESULTS = Path(__file__).resolve().parent / "results"
SOLVE = """
import sys
import polars as pl
from forensics.analysis.clock_alignment import clocks, findings
from forensics.records import Packet
messages = pl.scan_parquet(sys.argv[1])
found = clocks(messages, Packet.empty())
assert found["offset_s"].null_count() == 0 and len(findings(found, messages, Packet.empty().lazy())) > 200
"""
SECOND_NS = 10**9
CLIENTS, CLIENTS_WITH_LOGS, SERVERS, DAYS = 2000, 200, 10, 400
CAPTURES = (("a.pcap", "cc1", 0), ("b.pcap", "net1", 250_000_000), ("c.pcap", "net2", -30_000_000))
SERVER_NS = -7_500_000_000
AT_ONCE = 100_000


def write(path: Path, messages: int) -> None:
    """So many messages, about, as Parquet."""
    dice = np.random.default_rng(1)
    renewals = messages // (2 * (len(CAPTURES) + 1))
    step = DAYS * 86_400 * SECOND_NS // renewals
    schema = DhcpMessage.polars_schema()
    with pq.ParquetWriter(path, DhcpMessage.empty().to_arrow().schema, compression="zstd") as file:
        for low in range(0, renewals, AT_ONCE):
            count = min(AT_ONCE, renewals - low)
            asked = 1_500_000_000 * SECOND_NS + (low + np.arange(count)) * step + dice.integers(0, step, count)
            client = dice.integers(0, CLIENTS, count)
            renewed = pl.DataFrame({"at": asked, "client": client, "xid": dice.integers(0, 2**32, count)})
            rows = pl.concat(_told(renewed), how="diagonal_relaxed").drop("client", "at").sort("source", "ts")
            missing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
            rows = rows.with_columns(missing).with_columns(pl.col("ts").cast(schema["ts"]))
            table = (
                rows.with_columns(position=pl.int_range(pl.len()) + 10 * low).select(schema.names()).cast(dict(schema))
            )
            file.write_table(table.to_arrow().cast(file.schema), row_group_size=1 << 16)


def _told(renewed: pl.DataFrame) -> list[pl.DataFrame]:
    """Each renewal's request and answer as everybody tells of them."""
    server = pl.format("net{}", pl.col("client") % SERVERS)
    own = pl.format("vm{}", "client")
    mac = pl.format("fa:16:3e:00:{}:{}", pl.col("client") // 256 + 16, pl.col("client") % 256 + 256)
    ip = pl.format("10.0.{}.{}", pl.col("client") // 256, pl.col("client") % 256)
    said = []
    for message_type, late_ns, on_way_ns in (("REQUEST", 0, 100_000), ("ACK", 1_300_000, -100_000)):
        one = renewed.with_columns(pl.col("at") + late_ns, message_type=pl.lit(message_type), ciaddr=ip)
        for place, (source, host, off_ns) in enumerate(CAPTURES, 1):
            ts = pl.col("at") + off_ns + place * on_way_ns
            said.append(
                one.with_columns(source=pl.lit(source), host=pl.lit(host), ts=ts, chaddr=mac, seen_by=pl.lit("capture"))
            )
        log = one.drop("xid").with_columns(
            source=server + "/dnsmasq.log", host=server, chaddr=mac, seen_by=pl.lit("server")
        )
        said.append(log.with_columns(ts=pl.col("at") + SERVER_NS + (len(CAPTURES) + 1) * on_way_ns))
        few = one.filter(pl.col("client") < CLIENTS_WITH_LOGS)
        off = pl.col("client") * SECOND_NS
        said.append(few.with_columns(source=own + "/syslog", host=own, ts=pl.col("at") + off, seen_by=pl.lit("client")))
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, nargs="+", default=[400_000, 2_000_000, 8_000_000])
    parser.add_argument("--scratch", type=Path, help="folder for the rows")
    told = parser.parse_args()
    rows = []
    for messages in told.messages:
        with tempfile.TemporaryDirectory(dir=told.scratch) as name:
            path = Path(name) / "messages.parquet"
            write(path, messages)
            count = pq.ParquetFile(path).metadata.num_rows
            (figures,) = measure([Command("clocks", [sys.executable, "-c", SOLVE, str(path)])], runs=1, warm_up=0)
        rows.append(
            {"messages": count, "wall_s": figures.wall_s, "cpu_s": figures.cpu_s, "private_mib": figures.private_mib}
        )
        print(f"| {count:,} | {figures.wall_s:.0f} | {figures.cpu_s:.0f} | {figures.private_mib:.0f} |", flush=True)
    (RESULTS / "clocks.json").write_text(json.dumps({"machine": machine(), "figures": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
