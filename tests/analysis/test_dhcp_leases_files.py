"""From files to the finding: generated histories written as pcap and syslog, and the incident with real programs."""

import json
from datetime import datetime
from pathlib import Path

import pytest

import forensics
from tests._bundled import Bundled
from tests._leases import HEALTHY, LOGS, POINTS, Plan, history
from tests._leases_files import write

CASE = Path(__file__).resolve().parents[2] / "data" / "lost_lease"
COUNTS = ("cause", "mac", "ip", "server", "unicast_attempts", "broadcast_attempts", "server_replies", "lease_s")


def lost(folder: Path, out: Path) -> list[object]:
    case = forensics.open_case(folder, out=out)
    return [finding for finding in case.findings if finding.kind == "dhcp-renewal-failure"]


@pytest.mark.parametrize(
    "cause", ["link-dead-before-dhcp", "reply-not-delivered", "server-silent", "refused", "client-gone"]
)
def test_a_guilty_folder_yields_its_finding(cause: str, tmp_path: Path) -> None:
    played = history(Plan(seed=77, cause=cause, sources=(*POINTS, *LOGS), rate=2.0))
    write(played, tmp_path / "evidence")
    found = lost(tmp_path / "evidence", tmp_path / "case")
    assert [finding.facts["cause"] for finding in found] == [cause]
    for name in ("unicast_attempts", "broadcast_attempts", "server_replies", "lease_s", "mac", "ip"):
        assert found[0].facts[name] == played.truth[name], name


@pytest.mark.parametrize("kind", HEALTHY[::4])
def test_a_healthy_folder_yields_none(kind: str, tmp_path: Path) -> None:
    lease_s = 10 if kind == "short-lease" else 120
    played = history(Plan(seed=78, healthy=kind, sources=(*POINTS, *LOGS), rate=2.0, lease_s=lease_s))
    write(played, tmp_path / "evidence")
    assert not lost(tmp_path / "evidence", tmp_path / "case")


@pytest.mark.parametrize("half", ["guilty", "healthy"])
def test_the_incident_with_real_programs(half: str, bundled: Bundled) -> None:
    truth = json.loads((CASE / f"{half}.truth.json").read_text())
    case = forensics.open_case(bundled("lost_lease", half))
    offsets = {row["source"]: row for row in case.clocks.iter_rows(named=True)}
    true_s = {source: clock["offset_s"] for source, clock in truth["clocks"].items()}
    base = "web-3/eth0.pcap.gz"
    for source, row in offsets.items():
        between = row["offset_s"] - (row["zone_s"] or 0) - offsets[base]["offset_s"]
        assert abs(between - (true_s[source] - true_s[base])) <= row["bound_s"] + offsets[base]["bound_s"]
    found = [finding for finding in case.findings if finding.kind == "dhcp-renewal-failure"]
    assert len(found) == len(truth["findings"])
    for finding, expected in zip(found, truth["findings"], strict=True):
        facts = expected["facts"]
        assert {name: finding.facts[name] for name in COUNTS} == {name: facts[name] for name in COUNTS}
        assert finding.facts["lead_s"] == pytest.approx(facts["lead_s"], abs=1e-6)
        assert finding.confidence == "proven"
        ahead_s = -offsets[base]["offset_s"]  # the case's clock is the reference's, the truth's is the instance's
        for name in ("first_unanswered_at", "silence_at", "gave_up_at"):
            told, true = (datetime.fromisoformat(text[:26].rstrip("Z")) for text in (finding.facts[name], facts[name]))
            assert (told - true).total_seconds() == pytest.approx(ahead_s, abs=0.01), name
