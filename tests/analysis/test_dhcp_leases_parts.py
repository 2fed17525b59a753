"""Lost leases of several clients at a time: what is said of them does not depend on how many are looked at together."""

from typing import Any

import polars as pl
import pytest

from forensics.analysis import _lease_rows, _lease_words, dhcp_leases
from forensics.analysis.dhcp_leases import chart_frames, findings, lanes
from forensics.records import DhcpClientEvent, DhcpMessage, LogRecord, Packet, Record
from tests._leases import CAUSES, LOGS, POINTS, History, Plan, history

RECORDS: tuple[type[Record], ...] = (DhcpMessage, DhcpClientEvent, Packet, LogRecord)


def crowd(plans: list[Plan]) -> list[pl.LazyFrame]:
    """Histories that happen at the same time: each with its own clients, all on one compute host and controller."""
    told = History(plans[0])
    for place, plan in enumerate(plans):
        own = {
            "fa:16:3e:24:e7:": f"fa:16:3e:24:{place:02x}:",
            "fa:16:3e:00:00:": f"fa:16:3e:00:{place:02x}:",
            "10.0.0.5": f"10.0.{place + 1}.5",
            "web-3": f"web-{place}",
        }

        def renamed(value: Any, own: dict[str, str] = own) -> Any:
            for before, after in own.items():
                value = value.replace(before, after) if isinstance(value, str) else value
            return value

        for record, rows in history(plan).rows.items():
            for row in rows:
                made = {name: renamed(value) for name, value in row.items()}
                made["position"] += place * 100_000
                told.rows.setdefault(record, []).append(made)
    return [told.frame(record).lazy() for record in RECORDS]


def plans(number: int, count: int) -> list[Plan]:
    """Clients that lose their lease one way or another, and one that does not."""
    sources = (*POINTS, *LOGS)
    guilty = [Plan(number + n, CAUSES[(number + n) % len(CAUSES)], sources=sources, skew=False) for n in range(count)]
    return [*guilty, Plan(number + count, sources=sources, skew=False)]


@pytest.mark.parametrize("most", [1, 400])
def test_parts_say_what_the_whole_says(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = crowd(plans(5, 3))
    whole = findings(*rows)
    shown = lanes(whole, *rows)
    chart = chart_frames(whole[0], *rows)
    monkeypatch.setattr(_lease_rows, "MOST_ROWS", most // 4)
    monkeypatch.setattr(_lease_words, "MOST_ROWS", most // 4)
    monkeypatch.setattr(dhcp_leases, "MOST_PACKETS", most)
    assert len({finding.facts["mac"] for finding in whole}) == 3
    assert findings(*rows) == whole
    for name, one in lanes(whole, *rows).items():
        assert one["conversation"].equals(shown[name]["conversation"])

    assert any(one["conversation"].height for one in shown.values())
    again = chart_frames(whole[0], *rows)
    assert all(again[name].equals(chart[name]) for name in ("conversation", "traffic"))
    assert again["traffic"].height
