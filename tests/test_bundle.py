"""A bundle holds what the findings cite and nothing else, and is evidence itself."""

import csv
import gzip
import hashlib
import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import forensics as fx
from forensics.bundle import Options, share
from forensics.case import Case, open_case
from forensics.errors import CaseError
from tests._small_evidence import small_evidence

ROOT = Path(__file__).resolve().parent.parent
GUILTY = ROOT / "data/bpdu_cutoff/guilty"


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cutoff(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return open_case(GUILTY, out=tmp_path_factory.mktemp("bundle") / "cutoff.case")


@pytest.fixture(scope="module")
def bundle(cutoff: Case) -> Path:
    before = tree(GUILTY)
    made = share(cutoff, cutoff.path.with_name("cutoff.bundle"), Options())
    assert tree(GUILTY) == before
    assert made.key is None
    return made.path


def citations(bundle: Path) -> list[dict[str, str]]:
    with (bundle / "citations.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_cited_place_is_there_with_its_digest(cutoff: Case, bundle: Path) -> None:
    cited = cutoff.cite(list(cutoff.findings))
    told = {(row["source"], row["locator"].partition(":")[2]): row for row in citations(bundle)}
    assert {(s, str(p)) for s, p in cited.select("source", "position").iter_rows()} == set(told)
    digests = dict(cutoff.sources.select("source", "sha256").iter_rows())
    for source, position, raw in cited.select("source", "position", "raw").iter_rows():
        row = told[source, str(position)]
        assert row["digest_of_cut"] == hashlib.sha256(raw).hexdigest()
        assert (row["digest_of_file"], row["digest"]) == (digests[source], "sha256")
        kind, _, number = row["locator_in_bundle"].partition(":")
        if kind == "line":
            lines = plain(bundle / "evidence" / source).splitlines()
            first = raw.splitlines()[1 if raw.startswith(b"INSERT") else 0]
            assert lines[int(number) - 1].rstrip(b",;") == first.rstrip(b",;")


def test_nothing_else_is_there(cutoff: Case, bundle: Path) -> None:
    cited = cutoff.cite(list(cutoff.findings))
    wanted = set(cited["source"]) | {"case.toml"}
    evidence = bundle / "evidence"
    assert {str(path.relative_to(evidence)) for path in evidence.rglob("*") if path.is_file()} == wanted
    for name in ("SW-1/messages", "cc35/syslog"):
        raw = b"".join(cited.filter(pl.col("source") == name).sort("offset_bytes")["raw"].to_list())
        assert plain(evidence / name) == raw
    assert fx.scan_packets(str(evidence / "cc35/bond0.pcap.gz")).collect().height == 1
    dump = plain(evidence / "controller/nova.sql")
    assert dump.count(b"CREATE TABLE") == 2
    assert b"`services`" not in dump
    assert dump.rstrip().startswith(b"/*M!")
    assert b"-- Dump completed on 2026-11-22" in dump.splitlines()[-1]


def test_a_packet_keeps_its_time_its_length_and_its_link_type(bundle: Path) -> None:
    was = fx.scan_packets(str(GUILTY / "cc35/bond0.pcap.gz")).filter(pl.col("position") == 74).collect()
    now = fx.scan_packets(str(bundle / "evidence/cc35/bond0.pcap.gz")).collect()
    same = ("ts", "wire_bytes", "captured_bytes", "link_type", "eth_src", "eth_dst", "vlan_ids")
    assert now.select(same).equals(was.select(same))


def test_sums_are_right(bundle: Path) -> None:
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True)
    assert done.returncode == 0
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert len(done.stdout.splitlines()) == len(files)


def test_the_bundle_is_evidence_of_the_same_incident(cutoff: Case, bundle: Path, tmp_path: Path) -> None:
    again = open_case(bundle, out=tmp_path / "again.case")
    assert again.sources.select(pl.col("rejects", "gaps").sum()).row(0) == (0, 0)
    assert set(again.sources["status"]) == {"read", "configuration"}
    told = [(one.kind, one.entities) for one in again.findings]
    assert told == [(one.kind, one.entities) for one in cutoff.findings]
    assert json.loads((bundle / "findings.json").read_bytes())["findings"] == cutoff.content["findings"]
    assert (bundle / "report.html").read_bytes().startswith(b"<!")


def test_the_same_case_gives_the_same_bytes(cutoff: Case, bundle: Path, tmp_path: Path) -> None:
    made = share(cutoff, tmp_path / "second.bundle", Options()).path
    assert tree(made) == tree(bundle) or {k: v[1] for k, v in tree(made).items()} == {
        k: v[1] for k, v in tree(bundle).items()
    }


def test_context_takes_neighbours(cutoff: Case, tmp_path: Path) -> None:
    made = share(cutoff, tmp_path / "wide.bundle", Options(context=2)).path
    lines = plain(made / "evidence/SW-1/messages").splitlines()
    whole = (GUILTY / "SW-1/messages").read_bytes().splitlines()
    cited = {int(row["locator"][5:]) for row in citations(made) if row["source"] == "SW-1/messages"}
    near = sorted({m for n in cited for m in range(n - 2, n + 3)} & set(range(1, len(whole) + 1)))
    assert lines == [whole[n - 1] for n in near]


SECRETS = b"""Feb 15 01:40:01 node1 sudo: nova : COMMAND=/usr/bin/mysql --password hunter2 nova
Feb 15 01:40:02 node1 nova-api: connect mysql://nova:s3cret@db/nova X-Auth-Token: 0123456789abcdef
"""


def small(folder: Path, **more: bytes) -> Case:
    evidence = small_evidence(folder / "evidence")
    for name, data in more.items():
        (evidence / name).write_bytes(data)
    return open_case(evidence, out=folder / "small.case")


def test_secrets_are_masked_unless_asked_for(tmp_path: Path) -> None:
    case = small(tmp_path, secrets=SECRETS)
    made = share(case, tmp_path / "a.bundle", Options(everything=True))
    text = b"".join(path.read_bytes() for path in made.path.rglob("*") if path.is_file())
    assert [secret for secret in (b"hunter2", b"s3cret", b"0123456789abcdef") if secret in text] == []
    assert "node2/blob.bin" in made.left_out
    bare = share(case, tmp_path / "b.bundle", Options(everything=True, unmasked=True))
    assert (bare.path / "evidence/secrets").read_bytes() == SECRETS
    assert (bare.path / "evidence/node2/blob.bin").read_bytes() == bytes(range(256)) * 8
    assert not bare.left_out


def test_payload_is_cut_off_unless_asked_for(tmp_path: Path) -> None:
    case = small(tmp_path)
    cut = share(case, tmp_path / "a.bundle", Options(everything=True)).path / "evidence/node1/br100.pcap"
    whole = (
        share(case, tmp_path / "b.bundle", Options(everything=True, payload=True)).path / "evidence/node1/br100.pcap"
    )
    assert whole.read_bytes() == (tmp_path / "evidence/node1/br100.pcap").read_bytes()
    packets, was = (fx.scan_packets(str(path)).collect() for path in (cut, whole))
    assert set(packets["captured_bytes"]) == {14 + 4 + 20 + 8}
    same = ("ts", "wire_bytes", "src", "dst", "src_port", "dst_port", "vlan_ids", "payload_bytes", "ip_bytes")
    assert packets.select(same).equals(was.select(same))


def frame() -> bytes:
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, bytes((10, 0, 0, 5)), bytes((10, 0, 0, 1)))
    return bytes.fromhex("fa163e24e722 002590000001 0800") + ip + struct.pack("!HHHH", 5000, 53, 8, 0)


def pcap(order: str, magic: int, link_type: int, octets: bytes) -> bytes:
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 1500, link_type)
    return head + b"".join(struct.pack(f"{order}IIII", 1360900000 + n, 999, len(octets), 900) + octets for n in (0, 1))


def pcapng(order: str) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)

    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    name = struct.pack(f"{order}HH", 2, 5) + b"bond0\0\0\0" + struct.pack(f"{order}HHB3xHH", 9, 1, 9, 0, 0)
    interfaces = block(1, struct.pack(f"{order}HHI", 1, 0, 0) + name) + block(1, struct.pack(f"{order}HHI", 113, 0, 96))
    ts, micro = 1360900000 * 10**9 + 7, 1360900000 * 10**6
    one = block(6, struct.pack(f"{order}IIIII", 0, ts >> 32, ts & 0xFFFFFFFF, len(frame()), 900) + frame())
    cooked = struct.pack("!HHH8sH", 0, 1, 6, bytes.fromhex("fa163e24e7220000"), 0x0800) + frame()[14:]
    two = block(6, struct.pack(f"{order}IIIII", 1, micro >> 32, micro & 0xFFFFFFFF, len(cooked), 44) + cooked)
    return section + interfaces + one + two


@pytest.mark.parametrize(
    "data",
    [
        pcap("<", 0xA1B23C4D, 1, frame()),
        pcap(">", 0xA1B2C3D4, 101, frame()[14:]),
        pcapng("<"),
        pcapng(">"),
    ],
    ids=["nanoseconds", "big-endian raw", "pcapng", "pcapng big-endian"],
)
def test_captures_of_every_kind_stay_what_they_are(data: bytes, tmp_path: Path) -> None:
    case = small(tmp_path, capture=data)
    made = share(case, tmp_path / "a.bundle", Options(everything=True)).path / "evidence/capture"
    assert made.read_bytes()[:4] == data[:4]
    was, now = (fx.scan_packets(str(path)).collect() for path in (tmp_path / "evidence/capture", made))
    columns = [
        name for name in was.columns if name not in ("source", "offset_bytes", "length_bytes", "payload_offset_bytes")
    ]
    assert was.height == 2
    assert now.select(columns).equals(was.select(columns))


def test_names_that_would_do_harm(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    names = [
        b"a\nb.log",
        b"\x1b[2J.log",
        b"=cmd.log",
        b"caf\xe9.log",
        b"findings.json",
        b"-rf",
        b"a*?[x].log",
        b"a\\b.log",
    ]
    folder.mkdir()
    for n, name in enumerate(names):
        (folder / name.decode("utf-8", "surrogateescape")).write_bytes(
            f"Feb 15 01:40:0{n} node1 kernel: [ 1.5] said by {n}\n".encode()
        )
    case = open_case(folder, out=tmp_path / "x.case")
    made = share(case, tmp_path / "x.bundle", Options(everything=True)).path
    for name in names:
        path = name.decode("utf-8", "surrogateescape")
        assert (made / "evidence" / path).read_bytes() == (folder / path).read_bytes()
    assert subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=made, capture_output=True).returncode == 0


def test_what_is_refused(cutoff: Case, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="inside the case or its evidence"):
        share(cutoff, cutoff.path / "x.bundle", Options())
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine").write_bytes(b"")
    with pytest.raises(CaseError, match="something else"):
        share(cutoff, other, Options())
    assert (other / "mine").exists()
    with pytest.raises(CaseError, match="cannot be pseudonymised"):
        share(cutoff, tmp_path / "x.bundle", Options(payload=True, pseudonymise=True))
    with pytest.raises(CaseError, match="without anything to replace"):
        share(cutoff, tmp_path / "x.bundle", Options(also=("acme",)))
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/log").write_bytes(b"Feb 15 01:40:01 node1 kernel: [ 1.5] all is well\n")
    case = open_case(tmp_path / "evidence", out=tmp_path / "small.case")
    with pytest.raises(CaseError, match="no finding cites anything"):
        share(case, tmp_path / "x.bundle", Options())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "other", "small.case"]


def test_the_command(run: Callable[..., tuple[int, str, str]], cutoff: Case, tmp_path: Path) -> None:
    code, out, _ = run("bundle", cutoff.path, "--out", tmp_path / "y.bundle", "--pseudonymise")
    assert code == 0
    assert "y.bundle.key.json" in out
    assert "masked" in out
    assert (tmp_path / "y.bundle/SHA256SUMS").is_file()
    code, _, error = run("bundle", cutoff.path, "--out", tmp_path / "y.bundle", "--pseudonymise")
    assert code == 2
    assert "--key" in error
