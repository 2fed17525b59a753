"""Packets followed from point to point: one logical packet each, the hop that loses large ones, tags out of place."""

from forensics.analysis import packet_paths
from forensics.records import Packet


def test_no_packets_no_findings() -> None:
    assert packet_paths.findings(Packet.empty().lazy()) == []
