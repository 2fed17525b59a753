"""What belongs to what, and when."""

from forensics.analysis._links import links
from forensics.records import Edge


def test_no_edges_link_nothing() -> None:
    assert links(Edge.empty(), "mac", ["fa:16:3e:24:e7:22"], "instance").is_empty()
