"""What an analysis holds does not grow with the packets that it looks through."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from forensics.records import Packet
from tests._system import PEAK_MIB

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads VmHWM from /proc")

ROWS, FEW, MANY = 60_000, 1, 9
MOST_MIB = 64
"""What so many more parts may add; all of their columns that are read take thrice as much."""
WATCH = (
    PEAK_MIB
    + """
import sys
import polars as pl
from forensics.analysis._lease_traffic import Watch
from forensics.records import Clock
client = {"client": "a", "mac": "fa:16:3e:00:00:01", "ip": "10.0.0.1", "since_at": 0, "first_at": 1, "ends_at": 2}
for parts in map(int, sys.argv[2:]):
    watch = Watch(pl.scan_parquet([sys.argv[1]] * parts), Clock.empty().lazy(), pl.DataFrame([client]))
    assert watch.counts["n"].item() == 0
    seen = watch.traffic(pl.Series(["a"]), held=True)
    assert seen.spans["n"].item() == parts * 60_000
    print(peak_mib())
"""
)


def test_packets_of_others_are_not_held(tmp_path: Path) -> None:
    numbers = np.arange(ROWS)
    address = pl.Series([f"fa:16:3e:10:{n >> 8:02x}:{n & 255:02x}" for n in range(4096)])
    ip = pl.Series([f"10.20.{n >> 8}.{n & 255}" for n in range(4096)])
    told = {
        "ts": pl.Series(numbers * 1000).cast(pl.Datetime("ns", "UTC")),
        "source": pl.repeat("compute01-eth0.pcap", ROWS, eager=True),
        "position": numbers + 1,
        "eth_src": address.gather(numbers % 4096),
        "eth_dst": address.gather(numbers * 7 % 4096),
        "src": ip.gather(numbers % 4096),
        "dst": ip.gather(numbers * 7 % 4096),
        "protocol": numbers % 2 * 11 + 6,
        "tcp_ack": numbers * 977 % 2**32,
        "src_port": numbers % 60_000,
        "dst_port": numbers * 7 % 60_000,
        "wire_bytes": numbers % 1500,
    }
    kinds = Packet.polars_schema()
    frame = pl.DataFrame(told).select(
        pl.col(name).cast(kind) if name in told else pl.lit(None, kind).alias(name) for name, kind in kinds.items()
    )
    frame.write_parquet(tmp_path / "part.parquet")
    argv = [sys.executable, "-P", "-c", WATCH, str(tmp_path / "part.parquet"), str(FEW), str(MANY)]
    frugal = {**os.environ, "POLARS_ROW_GROUP_PREFETCH_SIZE": "2", "POLARS_MAX_THREADS": "2"}
    few, many = map(int, subprocess.run(argv, capture_output=True, text=True, check=True, env=frugal).stdout.split())
    assert many - few <= MOST_MIB, f"{FEW} parts: {few} MiB, {MANY}: {many} MiB"
