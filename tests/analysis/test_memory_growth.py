"""Memory: what grows with each request, and what only looks so."""

from forensics.analysis.memory_growth import findings
from forensics.records import ApiRequest, ProcessMemory


def test_nothing_listed_no_findings() -> None:
    assert findings(ProcessMemory.empty().lazy(), ApiRequest.empty().lazy()) == []
