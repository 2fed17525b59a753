"""The adapter to polars: whatever a query is, it gives what it gives on the rows themselves."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cloudpickle
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import forensics
from forensics.loaders import _scan
from forensics.loaders._scan import scan
from forensics.loaders.captures.packets import rows, scan_packets
from forensics.records import DhcpMessage, Packet
from tests._captures import pcap
from tests.loaders.captures.test_packets import mixed


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captures") / "compute01.pcap"
    path.write_bytes(mixed(5000))
    return path


@pytest.fixture(scope="module")
def whole(capture: Path) -> pl.DataFrame:
    return pl.concat(list(rows(capture)))


QUERIES = {
    "all": lambda f: f,
    "one column": lambda f: f.select("dst_port"),
    "no column twice": lambda f: f.select(pl.col("src").alias("a"), pl.col("src").alias("b")),
    "head": lambda f: f.head(7),
    "head of nothing": lambda f: f.head(0),
    "tail": lambda f: f.tail(7).select("position", "src"),
    "slice": lambda f: f.slice(2000, 30).select("position", "vlan_ids"),
    "filter": lambda f: f.filter(pl.col("dst_port") == 67),
    "filter and head": lambda f: f.filter(pl.col("dst_port") == 67).head(5),
    "head and filter": lambda f: f.head(50).filter(pl.col("dst_port") == 67),
    "two filters": lambda f: f.filter(pl.col("ttl") == 64).filter(pl.col("tunnel").is_not_null()).select("tunnel_id"),
    "filter on what is not selected": lambda f: f.filter(pl.col("ttl") > 63).select("eth_src"),
    "a function": lambda f: f.filter(pl.col("src").map_batches(lambda s: s == "10.0.0.1", pl.Boolean)).select("dst"),
    "count": lambda f: f.select(pl.len()),
    "count of some": lambda f: f.filter(pl.col("arp_op") == 1).select(pl.len()),
    "group": lambda f: f.group_by("src").agg(pl.len(), pl.col("payload_bytes").sum()).sort("src", nulls_last=True),
    "row index": lambda f: f.with_row_index().filter(pl.col("protocol") == 6).select("index", "position"),
    "sort": lambda f: f.select("dst", "position").sort("dst", "position", nulls_last=True),
    "join": lambda f: f.select("position", "src").join(f.filter(pl.col("dst") > "2"), on="position"),
    "asof join": lambda f: f.select("ts", "src").join_asof(
        f.filter(pl.col("arp_op") == 1).select("ts", "dst"), on="ts"
    ),
    "concat": lambda f: pl.concat([f.select("src"), f.select("src")]),
    "unique": lambda f: f.select("eth_src", "link_type").unique(maintain_order=True),
}


@pytest.mark.parametrize("engine", ["auto", "streaming"])
@pytest.mark.parametrize("query", QUERIES)
def test_queries(query: str, engine: str, capture: Path, whole: pl.DataFrame) -> None:
    ask = QUERIES[query]
    expected = ask(whole.lazy()).collect()
    ordered = query not in ("join", "asof join", "concat")  # polars keeps no order where a query asks for none
    found = ask(scan_packets(capture)).collect(engine=engine)
    assert_frame_equal(found, expected, check_row_order=ordered)


def test_sinks(capture: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    scan_packets(capture).sink_parquet(tmp_path / "packets.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "packets.parquet"), whole)
    names = ["ts", "src", "dst_port"]
    scan_packets(capture).select(names).sink_ipc(tmp_path / "packets.arrow")
    assert_frame_equal(pl.read_ipc(tmp_path / "packets.arrow"), whole.select(names))


def test_a_plan_can_be_sent_elsewhere(capture: Path, whole: pl.DataFrame) -> None:
    plan = scan_packets(capture).filter(pl.col("protocol") == 17).select("position", "src_port")
    assert_frame_equal(cloudpickle.loads(cloudpickle.dumps(plan)).collect(), plan.collect())
    assert plan.collect().height == (whole["protocol"] == 17).sum()


def test_many_threads_may_collect_at_once(capture: Path, whole: pl.DataFrame) -> None:
    plan = scan_packets(capture).select("position", "src", "inner_dst", "vlan_ids")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: plan.collect(), range(18)))
    for frame in found:
        assert_frame_equal(frame, whole.select("position", "src", "inner_dst", "vlan_ids"))


def test_many_captures_at_once_in_one_query(capture: Path, whole: pl.DataFrame) -> None:
    together = pl.concat([scan_packets(capture).select("position", "src") for _ in range(8)])
    assert together.collect(engine="streaming").height == 8 * whole.height


def test_a_source_without_rows_has_the_columns_asked_for() -> None:
    def nothing(*_: object) -> Iterator[pl.DataFrame]:
        return iter(())

    assert scan(DhcpMessage, nothing).collect().schema == DhcpMessage.polars_schema()
    assert scan(Packet, nothing).select("src", "ts").collect().columns == ["src", "ts"]


def test_errors_arrive_as_they_were_raised() -> None:
    def broken(*_: object) -> Iterator[pl.DataFrame]:
        raise LookupError("no such disk")
        yield

    with pytest.raises(LookupError, match="no such disk"):
        scan(Packet, broken).collect()


def test_what_is_asked_of_the_reader() -> None:
    asked: list[tuple[object, ...]] = []

    def generate(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        asked.append((with_columns, None if predicate is None else predicate.meta.root_names(), n_rows))
        return iter(())

    scan(Packet, generate).collect()
    scan(Packet, generate).select("src").head(5).collect()
    scan(Packet, generate).filter(pl.col("dst_port") == 67).select("src").collect()
    assert asked[0] == (None, None, None)
    assert asked[1] == (["src"], None, 5)
    assert asked[2][1:] == (["dst_port"], None)
    assert set(asked[2][0]) == {"src", "dst_port"}  # type: ignore[call-overload]


def test_only_what_every_supported_polars_has_is_used() -> None:
    source = inspect.getsource(_scan)
    assert "explain_name" not in source
    assert source.count("register_io_source(") == 1


def test_a_process_may_end_while_a_scan_still_runs(tmp_path: Path) -> None:
    """polars returns what was asked for and goes on reading on its own thread; that must not abort the process."""
    path = tmp_path / "large.pcap"
    path.write_bytes(pcap([(number, bytes(60_000)) for number in range(900)]))
    program = (
        "import sys, polars as pl; from forensics import scan_packets;"
        "print(scan_packets(sys.argv[1]).filter(pl.col('position') == 2).head(1).collect().height)"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True)
        assert (done.returncode, done.stdout) == (0, b"1\n"), done.stderr


def test_of_a_folder_the_files_in_a_fitting_format_are_meant(tmp_path: Path) -> None:
    (tmp_path / "cc01").mkdir()
    (tmp_path / "cc01/eth0.pcap").write_bytes(pcap([(10**18, bytes(60))]))
    (tmp_path / "cc01/syslog").write_text("Feb 27 22:01:36 cc01 sshd[1]: a line\n" * 3)
    (tmp_path / "notes.bin").write_bytes(bytes(range(256)))
    assert forensics.scan_packets(tmp_path).select("host").collect().rows() == [("eth0",)]
    assert forensics.scan_logs(tmp_path).collect().height == 3
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(forensics.EvidenceError, match="holds no file with Packet rows"):
        forensics.scan_packets(empty)


@pytest.mark.parametrize("how", [forensics.scan_logs, forensics.scan_dhcp])
def test_a_limit_before_a_filter_comes_first(how: object, tmp_path: Path) -> None:
    lines = [
        f"Feb 27 22:01:{n:02} cc01 dnsmasq-dhcp[1]: DHCPACK(br100) 10.0.0.{n} fa:16:3e:00:00:{n:02}\n"
        for n in range(60)
    ]
    (tmp_path / "syslog").write_text("".join(lines))
    late = pl.col("position") > 50
    assert how(tmp_path / "syslog").head(10).filter(late).collect().height == 0
    assert how(tmp_path / "syslog").filter(late).head(4).collect()["position"].to_list() == [51, 52, 53, 54]
    assert how(tmp_path / "syslog").filter(late).select(pl.len()).collect().item() == 10
