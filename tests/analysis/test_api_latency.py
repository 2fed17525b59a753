"""Latency: what grows with rows, what changed at a moment, what differs between deployments, and what only looks so."""

from forensics.analysis.api_latency import findings
from forensics.records import ApiRequest


def test_no_requests_no_findings() -> None:
    assert findings(ApiRequest.empty().lazy()) == []
