"""Memory: what grows with each request, and what only looks so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from forensics.analysis import _latency_requests
from forensics.analysis.memory_growth import CHARTS, chart_frames, findings
from forensics.records import ApiRequest, ProcessMemory
from tests._latencies import DAY_S, asked, instant, listed, memory_frames, moments, said

MB = 1_000_000
N = 400
AT = moments(20, N)
LISTED = np.arange(0.25, 20, 0.25) * DAY_S
Values = npt.NDArray[np.float64]
REQUESTS = asked(AT, np.ones(N))


def served(at: Values) -> Values:
    """Requests that were done by then."""
    return np.searchsorted(AT + 1, at, side="right").astype(float)


def noise(count: int = len(LISTED)) -> Values:
    return np.random.default_rng(4).uniform(0, 60_000, count)


def test_nothing_listed_no_findings() -> None:
    assert findings(ProcessMemory.empty().lazy(), ApiRequest.empty().lazy()) == []


def test_growth_is_told_with_the_figures_of_its_catalogue() -> None:
    told = 90 * MB + 0.5 * MB * served(LISTED) + noise()
    (one,) = findings(*memory_frames(listed(LISTED, told), REQUESTS))
    assert one.facts["process"] == "nova-api"
    assert one.facts["host"] == "api01"
    assert one.facts["bytes_per_request"] == pytest.approx(0.5 * MB, rel=0.02)
    assert (one.facts["from_bytes"], one.facts["to_bytes"]) == (int(told[0]), int(told[-1]))
    assert one.facts["exhausted_at"] is None
    assert (one.severity, one.confidence) == ("medium", "likely")
    assert all(step.evidence for step in one.story)


def test_of_very_many_requests_a_part_counts_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    told = 90 * MB + 0.5 * MB * served(LISTED) + noise()
    monkeypatch.setattr(_latency_requests, "MOST_REQUESTS", N // 2)
    (one,) = findings(*memory_frames(listed(LISTED, told), REQUESTS))
    assert one.facts["bytes_per_request"] == pytest.approx(0.5 * MB, rel=0.2)


def healthy() -> dict[str, Values]:
    """Memory that only looks as if it grew."""
    done = served(LISTED)
    return {
        "flat": 90 * MB + noise(),
        "a warm-up": 55 * MB + 60 * MB * (1 - np.exp(-done / 40)) + noise(),
        "a slow warm-up": 55 * MB + 60 * MB * (1 - np.exp(-done / 100)) + noise(),
        "collected again and again": 90 * MB + 50 * MB * (done % 80) / 80 + noise(),
        "given back at the end": 90 * MB + np.where(LISTED < 19 * DAY_S, 0.5 * MB * done, 5 * MB) + noise(),
        "a little": 90 * MB + 5_000 * done + noise(),
        "one jump": 90 * MB + 80 * MB * (done > 150) + noise(),
    }


@pytest.mark.parametrize("name", healthy())
def test_what_only_looks_ill_is_no_finding(name: str) -> None:
    assert findings(*memory_frames(listed(LISTED, healthy()[name]), REQUESTS)) == []


def test_growth_without_requests_is_none_of_theirs() -> None:
    early = AT[AT < 8 * DAY_S]
    told = 90 * MB + 10 * MB * LISTED / DAY_S + noise()
    assert findings(*memory_frames(listed(LISTED, told), asked(early, np.ones(len(early))))) == []


def test_idle_nights_rule_time_out() -> None:
    at = np.sort(np.concatenate([day * DAY_S + moments(0.3, 30, day) for day in range(20)]))
    done = np.searchsorted(at + 1, LISTED, side="right")
    (one,) = findings(*memory_frames(listed(LISTED, 90 * MB + 0.3 * MB * done + noise()), asked(at, np.ones(len(at)))))
    assert {o.verdict for o in one.alternatives if o.hypothesis.startswith("growth with time")} == {"ruled out"}


def restarted(**rest: Any) -> list[dict[str, Any]]:
    """Two lives of one program: the second begins anew."""
    half = len(LISTED) // 2
    done = served(LISTED)
    told = 90 * MB + 0.5 * MB * np.concatenate([done[:half], done[half:] - done[half]])
    return listed(LISTED[:half], told[:half]) + listed(LISTED[half:], told[half:], **rest)


def test_a_restart_begins_a_new_life() -> None:
    again = restarted(pid=8)
    (one,) = findings(*memory_frames(again, REQUESTS))
    assert one.facts["bytes_per_request"] == pytest.approx(0.5 * MB, rel=0.02)
    assert any("grows alike" in step.text for step in one.story)
    same = restarted()
    begun = said(float(LISTED[len(LISTED) // 2]) - 60, "(7) wsgi starting up on http://0.0.0.0:8774/")
    assert [f.facts["bytes_per_request"] for f in findings(*memory_frames(same, REQUESTS, [begun]))] == [
        pytest.approx(0.5 * MB, rel=0.02)
    ]
    work = [dict(row, cpu_s=float(n % (len(LISTED) // 2))) for n, row in enumerate(same)]
    assert len(findings(*memory_frames(work, REQUESTS))) == 1


@pytest.mark.parametrize("process", ["nova-compute", "mysqld", "glance-api"])
def test_processes_that_serve_none_of_these_requests_are_left_alone(process: str) -> None:
    told = 90 * MB + 0.5 * MB * served(LISTED)
    assert findings(*memory_frames(listed(LISTED, told, process), REQUESTS)) == []


def test_requests_of_another_worker_do_not_count() -> None:
    mine = np.arange(0, N, 4)
    done = np.searchsorted(AT[mine] + 1, LISTED, side="right")
    lines = [
        said(0, "x", position=n + 1, pid=7 if n % 4 == 0 else 99, ts=row["ts"], source=row["source"])
        for n, row in enumerate(REQUESTS)
    ]
    (one,) = findings(*memory_frames(listed(LISTED, 90 * MB + MB * done), REQUESTS, lines))
    assert one.facts["bytes_per_request"] == pytest.approx(MB, rel=0.02)
    assert one.confidence == "likely"


@pytest.mark.parametrize(
    ("text", "is_end"),
    [
        ("Out of memory: Killed process 7 (nova-api) total-vm:9kB", True),
        ("Out of memory: Kill process 7 (nova-api) score 900 or sacrifice child", True),
        ("Out of memory: Killed process 12 (mysqld) total-vm:9kB", False),
    ],
)
def test_the_end_of_memory_is_the_kernels_word(text: str, is_end: bool) -> None:
    told = 90 * MB + 0.5 * MB * served(LISTED)
    killed = said(20 * DAY_S, text, source="api01/kern.log", program="kernel")
    (one,) = findings(*memory_frames(listed(LISTED, told), REQUESTS, [killed]))
    assert (one.facts["exhausted_at"], one.severity) == (
        ("2014-01-21T00:00:00Z", "high") if is_end else (None, "medium")
    )


def test_full_swap_is_the_end_of_memory() -> None:
    told = 90 * MB + 0.5 * MB * served(LISTED)
    (full,) = listed([19 * DAY_S], [0], source="api01/free.txt")
    full |= {"process": None, "pid": None, "resident_bytes": None, "swap_total_bytes": 100, "swap_used_bytes": 99}
    (one,) = findings(*memory_frames([*listed(LISTED, told), full], REQUESTS))
    assert one.facts["exhausted_at"] == f"{instant(19 * DAY_S):%Y-%m-%dT%H:%M:%SZ}"


def test_the_chart_gets_every_life_and_knows_the_one_that_is_told() -> None:
    given = memory_frames(restarted(pid=8), REQUESTS)
    (one,) = findings(*given)
    drawn = chart_frames(one, *given)
    assert list(CHARTS) == ["memory_requests"]
    assert drawn is not None
    assert drawn["listings"].group_by("life").len().height == 2
    assert drawn["listings"].filter("told")["life"].n_unique() == 1
