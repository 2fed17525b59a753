"""Triages made-up incidents by the hundred and prints how often the findings are right: ``make generated``.

For each generator of ``data/synth`` so many guilty cases and as many healthy ones are written, triaged and measured by
their truth. Every wrong one is named with its number, so that it can be looked at:
``data.synth.NAME.guilty(NUMBER, folder)``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import forensics
from forensics.records.finding import SEVERITIES
from tests._truths import Score, clocks_off, score

SYNTH = Path(__file__).resolve().parent.parent / "data" / "synth"
NAMES = sorted(path.stem for path in SYNTH.glob("[!_]*.py"))


class Outcome(NamedTuple):
    """One generated case, triaged."""

    name: str
    half: str
    number: int
    score: Score
    serious: list[str]
    """Kinds of the findings of medium severity or more."""
    took_s: float
    problems: list[str]
    """Analyses that failed."""


def triaged(name: str, half: str, number: int, folder: Path) -> Outcome:
    """Write one case, triage it and measure what was said."""
    truth: dict[str, Any] = getattr(import_module(f"data.synth.{name}"), half)(number, folder / "evidence")
    begun = time.perf_counter()
    case = forensics.open_case(folder / "evidence", out=folder / "out.case", workers=1)
    took_s = time.perf_counter() - begun
    said = [one.finding.as_dict() for one in case.findings]
    serious = [one["kind"] for one in said if SEVERITIES.index(one["severity"]) <= SEVERITIES.index("medium")]
    failed = case.problems.filter(forensics_failed(case.problems))["example"].to_list()
    return Outcome(name, half, number, score(truth, said, *clocks_off(truth, case.clocks)), serious, took_s, failed)


def forensics_failed(problems: Any) -> Any:
    """Which problems are failures of the toolkit itself."""
    return problems["source"].str.starts_with("(")


def one(job: tuple[str, str, int]) -> Outcome:
    """A case in a folder of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="generated-") as folder:
        return triaged(*job, Path(folder))


def outcomes(names: Iterable[str], count: int, workers: int, first: int = 0) -> list[Outcome]:
    """All cases of some generators."""
    jobs = [(name, half, n) for name in names for half in ("guilty", "healthy") for n in range(first, first + count)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(one, jobs, chunksize=8))


def table(told: list[Outcome]) -> str:
    """One line a generator."""
    head = ("generator", "guilty", "recall", "precision", "facts", "healthy", "false", "failed", "slowest s")
    rows = [head]
    for name in dict.fromkeys(outcome.name for outcome in told):
        guilty = [one for one in told if one.name == name and one.half == "guilty"]
        healthy = [one for one in told if one.name == name and one.half == "healthy"]
        due, found = sum(one.score.expected for one in guilty), sum(one.score.found for one in guilty)
        extra = sum(len(one.score.extra) for one in (*guilty, *healthy))
        facts = sum(one.score.facts for one in guilty)
        bad = sum("." in text.partition(":")[0] for one in guilty for text in one.score.wrong)
        rows.append(
            (
                name,
                str(len(guilty)),
                f"{found / max(due, 1):.3f}",
                f"{found / max(found + extra, 1):.3f}",
                f"{1 - bad / max(facts, 1):.3f}",
                str(len(healthy)),
                str(sum(bool(one.serious) for one in healthy)),
                str(sum(len(one.problems) for one in (*guilty, *healthy))),
                f"{max(one.took_s for one in (*guilty, *healthy)):.1f}",
            )
        )
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> None:
    """Arguments in, a table out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"generators: {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--cases", type=int, default=200, help="guilty and healthy ones of each generator")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    told = outcomes(given.names or NAMES, given.cases, given.workers, given.first)
    for outcome in told:
        for text in (*outcome.score.wrong, *outcome.score.extra, *outcome.problems):
            print(f"{outcome.name}.{outcome.half}({outcome.number}): {text}"[:300])
    print(table(told))


if __name__ == "__main__":
    main()
