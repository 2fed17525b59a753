"""The whole evidence under other names tells the same story, and none of the old names."""

import gzip
import hashlib
import json
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import polars as pl
import pytest

import forensics as fx
from forensics.bundle import Options, share
from forensics.bundle._key import read_key
from forensics.bundle._names import MERE
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._text import Text
from forensics.case import Case, open_case
from forensics.errors import CaseError
from tests._bundled import Bundled

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("bpdu_cutoff", "double_vlan", "lost_lease", "vanished_images")


@dataclass
class Round:
    """An incident, and what became of it."""

    case: Case
    again: Case
    bundle: Path
    key: Path


@pytest.fixture(scope="module", params=NAMES)
def done(request: pytest.FixtureRequest, bundled: Bundled, tmp_path_factory: pytest.TempPathFactory) -> Round:
    folder = tmp_path_factory.mktemp(request.param)
    case = open_case(bundled(request.param))
    made = share(case, folder / "x.bundle", Options(everything=True, pseudonymise=True))
    assert made.key is not None
    assert not made.left_out
    return Round(case, open_case(made.path, out=folder / "again.case"), made.path, made.key)


def entities(finding: dict[str, Any]) -> dict[str, list[str]]:
    return {key: sorted(values) for key, values in finding["entities"].items()}


def settled(value: Any) -> Any:
    """Facts without their order, and without what clocks bound to within a tie: instants and measured figures."""
    if isinstance(value, dict):
        return {key: settled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((settled(inner) for inner in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, float) or (isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value)):
        return None
    return value


def told(findings: list[dict[str, Any]], *, facts: bool) -> list[str]:
    """What is compared; not which of two clocks counts as right: where nothing else says, their names do."""
    kept = [
        (f["kind"], f["severity"], f["confidence"], entities(f), settled(f["facts"]) if facts else 0)
        for f in findings
        if f["kind"] != "clock-skew"
    ]
    return sorted(json.dumps(one, sort_keys=True) for one in kept)


def test_the_same_findings_with_other_names(done: Round) -> None:
    expected = json.loads((done.bundle / "findings.json").read_bytes())["findings"]
    found = json.loads((done.again.path / "findings.json").read_bytes())["findings"]
    assert told(found, facts=False) == told(expected, facts=False)
    before = done.case.content["findings"]
    assert [one["kind"] for one in expected] == [one["kind"] for one in before]
    assert told(expected, facts=False) != told(before, facts=False)


def test_the_same_facts_with_other_names(done: Round) -> None:
    expected = json.loads((done.bundle / "findings.json").read_bytes())["findings"]
    found = json.loads((done.again.path / "findings.json").read_bytes())["findings"]
    assert told(found, facts=True) == told(expected, facts=True)


def test_as_much_is_understood_as_before(done: Round) -> None:
    def count(case: Case) -> tuple[Any, ...]:
        own = case.sources.filter(pl.col("status") != "configuration")
        return (own.height, *own.select(pl.col("rows", "rejects", "gaps").sum()).row(0))

    assert count(done.again) == count(done.case)


def contents(bundle: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(bundle.rglob("*")):
        if path.is_file() and path.name != "SHA256SUMS":
            data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            yield str(path.relative_to(bundle)), data + b"\n" + str(path.relative_to(bundle)).encode()


def test_no_original_is_left(done: Round) -> None:
    mapping = json.loads(done.key.read_bytes())["mapping"]
    assert mapping["name"]
    kinds = [own for kind, own in mapping.items() if kind != "number"]
    made = {name.lower() for own in kinds for name in own.values()}  # within a network one address may become another
    originals = sorted({name.lower() for own in kinds for name in own} - made)
    assert len(originals) > 10
    left = []
    for name, data in contents(done.bundle):
        text = data.decode("latin-1").lower()
        hits = pl.Series([text]).str.extract_many(originals, overlapping=True).to_list()[0]
        for hit in set(hits):
            whole = re.search(rf"(?<![0-9a-z.]){re.escape(hit)}(?![0-9a-z])", text)
            if whole and (len(hit) > 3 or ".pcap" not in name):
                left.append((name, hit, text[max(0, whole.start() - 30) : whole.end() + 30]))
    assert left == []


def test_no_original_address_is_left_in_packets(done: Round) -> None:
    mapping = json.loads(done.key.read_bytes())["mapping"]
    gone = {name for kind in ("ipv4", "ipv6", "mac") for name in mapping.get(kind, {})}
    gone -= {name for kind in ("ipv4", "ipv6", "mac") for name in mapping.get(kind, {}).values()}
    for path in sorted((done.bundle / "evidence").rglob("*.pcap*")):
        for rows in (fx.scan_packets(str(path)), fx.scan_dhcp(str(path))):
            frame = rows.drop("source", "host", strict=False).collect()
            seen = {value for name, kind in frame.schema.items() if kind == pl.String for value in frame[name].unique()}
            assert seen & gone == set()


def test_text_says_the_same_with_other_names(done: Round) -> None:
    """Every line of every log is the original's with its names replaced, and there are as many."""
    key = read_key(done.key)
    own = Pseudonyms(key, MERE)
    text = Text(own)
    for source, count in done.case.sources.select("source", "rows").iter_rows():
        if source.endswith(("syslog", "messages", "nova.log")) and count:
            raw = (ROOT / "data" / done.bundle.parent.name.rstrip("0123456789") / "guilty" / source).read_bytes()
            made = (done.bundle / "evidence" / text.label(source)).read_bytes()
            assert made.count(b"\n") == raw.count(b"\n")
            stamp = re.compile(rb"^\w{3} [ \d]\d [\d:]{8}", re.MULTILINE)
            assert stamp.findall(made) == stamp.findall(raw)


def test_checksums_are_as_right_as_before(done: Round) -> None:
    if which("tshark") is None:
        pytest.skip("tshark: Debian package tshark")
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    wrong = (
        "ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0"
    )
    for row in done.case.sources.filter(pl.col("format").is_in(["pcap", "pcapng"])).iter_rows(named=True):
        own = Text(Pseudonyms(read_key(done.key), MERE)).label(row["source"])
        counts = []
        name = done.bundle.parent.name.rstrip("0123456789")
        for path in (ROOT / "data" / name / "guilty" / row["source"], done.bundle / "evidence" / own):
            command = ["tshark", "-r", str(path), *checks, "-Y", wrong, "-T", "fields", "-e", "frame.number"]
            counts.append(set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))
        assert counts[1] <= counts[0]


def test_the_key_lies_apart_and_is_its_owners(done: Round) -> None:
    assert stat.S_IMODE(done.key.stat().st_mode) == 0o600
    assert done.key.parent == done.bundle.parent
    secret = json.loads(done.key.read_bytes())["key"]
    for _, data in contents(done.bundle):
        assert secret.encode() not in data
        assert bytes.fromhex(secret) not in data


def test_the_same_key_gives_the_same_bytes(done: Round, tmp_path: Path) -> None:
    made = share(done.case, tmp_path / "b.bundle", Options(everything=True, pseudonymise=True, key=done.key))

    def digests(bundle: Path) -> dict[str, str]:
        return {
            str(path.relative_to(bundle)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in bundle.rglob("*")
            if path.is_file()
        }

    assert digests(made.path) == digests(done.bundle)
    with pytest.raises(CaseError, match="no key of a bundle"):
        share(done.case, tmp_path / "c.bundle", Options(pseudonymise=True, key=done.bundle / "findings.json"))
