"""`forensics packets`: the summary, filters, queries, files written, standard input, and what it says when wrong."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from forensics import cli
from tests._evidence import REPOSITORY
from tests._small_evidence import capture

CONSOLE_SCRIPT = Path(sys.executable).with_name("forensics")


def test_packets(run, tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture())
    code, out, _ = run("packets", tmp_path / "a.pcap")
    assert code == 0
    for text in ("20 packets", "UDP", "10.0.0.5 > 10.0.0.1", "VLANs", "100", "Ethernet"):
        assert text in out
    assert json.loads(run("packets", tmp_path / "a.pcap", "--json")[1])["packets"] == 20
    out = run("packets", tmp_path / "a.pcap", "--filter", "src = '10.0.0.5'", "--columns", "position,src,vlan_ids")[1]
    assert [line.split() for line in out.splitlines()[:2]] == [
        ["position", "src", "vlan_ids"],
        ["2", "10.0.0.5", "100"],
    ]
    out = run("packets", tmp_path / "a.pcap", "--follow", "10.0.0.5", "--limit", 2)[1]
    assert out.count("UDP 10.0.0.") == 2
    assert "more (--limit)" in out
    out = run("packets", tmp_path / "a.pcap", "--sql", "select src, count(*) n from packets group by src order by src")[
        1
    ]
    assert [line.split() for line in out.splitlines()[1:]] == [["10.0.0.1", "10"], ["10.0.0.5", "10"]]
    run("packets", tmp_path / "a.pcap", "--to", tmp_path / "p.parquet")
    assert pl.read_parquet((tmp_path / "p.parquet").read_bytes()).height == 20
    run("packets", tmp_path / "a.pcap", "--to", tmp_path / "p.csv", "--columns", "position,src")
    assert (tmp_path / "p.csv").read_text().splitlines()[:2] == ["position,src", "1,10.0.0.1"]
    code, _, err = run("packets", tmp_path / "a.pcap", "--columns", "source_ip")
    assert code == 2
    assert "there are ts, host" in err


def test_packets_says_what_is_missing_and_what_was_meant(run, tmp_path: Path) -> None:
    whole = tmp_path / "a.pcap"
    whole.write_bytes(capture())
    assert "Ethernet, captured at a\n" in run("packets", whole)[1]
    guilty = REPOSITORY / "data" / "lost_lease" / "guilty" / "web-3" / "eth0.pcap.gz"
    out = run("packets", guilty)[1]
    for text in ("DHCP: 6 DISCOVER, 1 OFFER", "279 echo request", "TCP: 2 SYNs, no resets", "Stored in part: 4,144"):
        assert text in out
    (tmp_path / "cut.pcap").write_bytes(capture()[:-9])
    code, out, err = run("packets", tmp_path / "cut.pcap")
    assert code == cli.GAPS
    assert "19 packets" in out
    assert err.startswith("Warning: ")
    assert "site-packages" not in err
    assert "UserWarning" not in err
    assert json.loads(run("packets", tmp_path / "cut.pcap", "--json")[1])["damage"]
    for query in (("--filter", "dst_prt = 67"), ("--sql", "select dst_prt from packets"), ("--columns", "dst_prt")):
        code, _, err = run("packets", whole, *query)
        assert code == 2
        assert query[0] in err
        assert "did you mean dst_port" in err
        assert "there are ts, host" in err
        assert len(err) < 1_500
    assert "there are ts, host" in run("packets", whole, "--filter", "dst_port =")[2]
    assert "the only table is packets" in run("packets", whole, "--sql", "select * from nothing")[2]


def test_packets_are_written_where_it_does_no_harm(run, tmp_path: Path, case: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture())
    run("packets", tmp_path / "a.pcap", "--to", tmp_path / "p.tsv", "--columns", "position,src")
    assert (tmp_path / "p.tsv").read_text().splitlines()[:2] == ["position\tsrc", "1\t10.0.0.1"]
    for to, told in (
        (tmp_path / "p.txt", ".tsv"),
        (tmp_path / "none" / "p.csv", "no such folder"),
        (case / "p.csv", "inside a case"),
    ):
        code, _, err = run("packets", tmp_path / "a.pcap", "--to", to)
        assert code == 2
        assert told in err
        assert "Hint: " in err
        assert not to.exists()


def test_packets_from_standard_input() -> None:
    done = subprocess.run([CONSOLE_SCRIPT, "packets", "-"], input=capture(), capture_output=True, check=True)
    assert b"20 packets" in done.stdout
    assert done.stderr == b""
    done = subprocess.run(
        [CONSOLE_SCRIPT, "packets", "-", "--columns", "position", "--limit", "1"], input=capture(), capture_output=True
    )
    assert (done.returncode, done.stdout.split()[:2]) == (0, [b"position", b"1"])


@pytest.mark.timeout(120)
def test_packets_are_shown_while_they_are_captured() -> None:
    data = capture()
    two = 24 + 2 * ((len(data) - 24) // 20)
    command = [CONSOLE_SCRIPT, "packets", "-", "--columns", "position,src"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(data[:two])  # the pipe stays open, as that of a tcpdump does
        running.stdin.flush()
        assert running.stdout.readline().split() == [b"position", b"src"]
        assert running.stdout.readline().split() == [b"1", b"10.0.0.1"]
        running.send_signal(signal.SIGINT)  # meant for the capturing program, which now writes what it still has
        running.stdin.write(data[two:])
        running.stdin.close()
        assert len(running.stdout.read().splitlines()) == 19
        assert running.wait(timeout=60) == 0


def test_a_test_that_needs_all_packets_waits_for_them() -> None:
    command = [CONSOLE_SCRIPT, "packets", "-", "--filter", "position = max(position)", "--columns", "position"]
    done = subprocess.run(command, input=capture(), capture_output=True, check=True)
    assert done.stdout.split() == [b"position", b"20"]
