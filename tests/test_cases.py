"""The bundled cases, as a person would run them: what each truth says, and nothing else above info."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

import forensics
from tests._bundled import Bundled
from tests._truths import CONCLUDED, clocks_off, score

ROOT = Path(__file__).resolve().parent.parent
TRUTHS = sorted((ROOT / "data").glob("*/*.truth.json"))
LEASES = [path for path in TRUTHS if path.parent.name == "lost_lease"]


class Triaged(NamedTuple):
    """One half of a case: its truth, findings.json, what the terminal showed, and the table of clocks."""

    truth: dict[str, Any]
    said: dict[str, Any]
    text: str
    clocks: pl.DataFrame
    sources: pl.DataFrame


@pytest.fixture(scope="module", params=TRUTHS, ids=lambda p: f"{p.parent.name}-{p.name.split('.')[0]}")
def triaged(request: pytest.FixtureRequest, bundled: Bundled) -> Triaged:
    """One half of a case, triaged."""
    truth: Path = request.param
    out = bundled(truth.parent.name, truth.name.split(".")[0])
    clocks, sources = (pl.read_parquet((out / f"{name}.parquet").read_bytes()) for name in ("clocks", "sources"))
    said = json.loads((out / "findings.json").read_text())
    return Triaged(json.loads(truth.read_text()), said, out.with_suffix(".txt").read_text(), clocks, sources)


def test_every_expected_finding_with_its_facts_and_nothing_else(triaged: Triaged) -> None:
    truth, said, _, clocks, _ = triaged
    told = score(truth, said["findings"], *clocks_off(truth, clocks))
    assert told.found == told.expected, [finding["kind"] for finding in said["findings"]]
    assert told.extra == []
    assert told.wrong == []
    unlooked = {row["kind"] for row in said["not_checked"]}
    assert {f["kind"] for f in truth["findings"]} - CONCLUDED <= unlooked, "what cannot be concluded yet is said"


def test_every_step_cites_what_can_be_read_again(triaged: Triaged) -> None:
    said = triaged.said
    for finding in said["findings"]:
        assert finding["evidence"]
        assert all(ref["excerpt"] for ref in finding["evidence"])
        assert finding["remedy"]
        if finding["severity"] != "info":
            assert finding["story"]
            assert finding["alternatives"]


def test_the_terminal_names_the_finding_and_the_report(triaged: Triaged) -> None:
    truth, said, text, _, _ = triaged
    assert "report.html" in text
    for finding in said["findings"]:
        assert finding["kind"] in text
    for finding in truth["findings"]:
        assert finding["kind"] in text or finding["kind"] not in CONCLUDED


@pytest.mark.parametrize("triaged", LEASES, indirect=True, ids=lambda p: p.name.split(".")[0])
def test_clocks_and_zones_are_found_without_a_hint(triaged: Triaged) -> None:
    truth, _, _, clocks, sources = triaged
    (reference,) = clocks["reference"].drop_nulls().unique()
    base = truth["clocks"][reference]["offset_s"]
    for row in clocks.iter_rows(named=True):
        members = [name for name in truth["clocks"] if name.startswith(row["source"].removesuffix(".gz"))]
        true = truth["clocks"][members[0]]
        assert row["offset_s"] is not None, row
        rest = row["offset_s"] - (row["zone_s"] or 0.0)
        assert abs(rest - (true["offset_s"] - base)) <= row["bound_s"], row
        if true["zone"] == "America/Edmonton":
            source = sources.row(by_predicate=pl.col("source") == members[0], named=True)
            assert (source["zone"], source["zone_basis"]) == ("-07:00", "matched")


SUBSETS = {
    "server side": (["controller/*"], "link-dead-before-dhcp", {"likely"}),
    "server's log": (["controller/syslog*"], "reply-not-delivered", {"possible", "likely"}),
    "client side": (["web-3/*"], "link-dead-before-dhcp", {"proven"}),
    "client's capture": (["web-3/eth0*"], "link-dead-before-dhcp", {"proven"}),
    "client's log": (["web-3/syslog"], "server-silent", {"possible"}),
    "both captures": (["*/*.pcap.gz"], "link-dead-before-dhcp", {"proven"}),
}


@pytest.mark.parametrize("half", ["guilty", "healthy"])
@pytest.mark.parametrize("subset", SUBSETS)
def test_whatever_part_of_the_evidence_is_there(subset: str, half: str, tmp_path: Path) -> None:
    patterns, cause, confidence = SUBSETS[subset]
    for path in (p for pattern in patterns for p in (ROOT / "data/lost_lease" / half).glob(pattern)):
        target = tmp_path / "evidence" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    case = forensics.open_case(tmp_path / "evidence", out=tmp_path / "part.case")
    lost = [finding for finding in case.findings if finding.severity != "info"]
    if half == "healthy":
        assert lost == []
        return
    (finding,) = lost
    assert (finding.facts["cause"], finding.facts["lease_s"] or 120.0) == (cause, 120.0)
    assert finding.confidence in confidence
    told = {"server-silent", "link-dead-before-dhcp", "reply-not-delivered"}
    still_open = {other.hypothesis.split(":")[0] for other in finding.alternatives if other.verdict == "open"}
    assert finding.confidence == "proven" or (still_open | {cause}) & told
    if cause != "link-dead-before-dhcp":
        assert "link-dead-before-dhcp" in still_open
