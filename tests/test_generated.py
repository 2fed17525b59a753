"""Made-up incidents, a few of each kind: what was done is found, and nothing else. ``make generated`` runs hundreds."""

import os
from pathlib import Path

import pytest

from tests._truths import CONCLUDED
from tests.generated import NAMES, triaged

SEEDS = range(int(os.environ.get("SYNTH_SEEDS", "5")))


@pytest.mark.parametrize("number", SEEDS)
@pytest.mark.parametrize("half", ["guilty", "healthy"])
@pytest.mark.parametrize("name", NAMES)
def test_what_was_done_is_found_and_nothing_else(name: str, half: str, number: int, tmp_path: Path) -> None:
    outcome = triaged(name, half, number, tmp_path)
    assert outcome.problems == []
    assert outcome.score.extra == []
    assert outcome.score.found == outcome.score.expected or not CONCLUDED, outcome.score.wrong
    assert outcome.score.wrong == []
    assert half == "guilty" or outcome.serious == []
