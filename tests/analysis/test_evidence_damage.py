"""A damaged file is named, with what was kept and what was lost; a whole one is not."""

from pathlib import Path

import forensics
from tests._captures import pcap

PACKETS = [(1_355_919_059_000_000_000 + n * 10**9, bytes(6) + bytes(6) + b"\x08\x00" + bytes(46)) for n in range(12)]


def test_a_cut_capture_is_told_with_its_last_sound_packet(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "whole.pcap").write_bytes(pcap(PACKETS))
    (evidence / "cut.pcap").write_bytes(pcap(PACKETS)[:-7])
    case = forensics.open_case(evidence, out=tmp_path / "out.case")
    (finding,) = [one for one in case.findings if one.kind == "evidence-damaged"]
    assert finding.severity == "info"
    assert finding.facts["source"] == "cut.pcap"
    assert finding.facts["gaps"] == 1
    lost, start = finding.facts["lost_bytes"], finding.facts["first_gap_offset_bytes"]
    assert start + lost == len(pcap(PACKETS)) - 7
    assert (str(finding.evidence[0]), bool(finding.evidence[0].excerpt)) == (f"cut.pcap:{finding.facts['rows']}", True)


def test_two_gaps_are_told_with_the_packets_on_both_sides(tmp_path: Path) -> None:
    data = bytearray(pcap(PACKETS))
    record = 16 + 60
    for n in (3, 8):
        data[24 + n * record + 8 : 24 + n * record + 12] = b"\xff\xff\xff\x7f"
    (tmp_path / "bad.pcap").write_bytes(bytes(data))
    case = forensics.open_case(tmp_path / "bad.pcap", out=tmp_path / "out.case")
    (finding,) = [one for one in case.findings if one.kind == "evidence-damaged"]
    assert finding.facts["gaps"] == 2
    assert finding.facts["rows"] >= 10
    assert [len(step.evidence) for step in finding.story] == [2, 2]


def test_an_empty_gap_list_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "whole.pcap").write_bytes(pcap(PACKETS))
    case = forensics.open_case(tmp_path / "whole.pcap", out=tmp_path / "out.case")
    assert [one for one in case.findings if one.kind == "evidence-damaged"] == []
