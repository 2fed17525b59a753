"""What failed once never fails again; and a few inputs of every target, as `make fuzz` runs them by the thousand."""

import itertools

import pytest

from tests._slow import SLOW
from tests.fuzz import CORPUS, Target, targets
from tests.fuzz._mutation import endless, grown

TARGETS = targets()
TRIED = 40 if SLOW else 0


@pytest.mark.parametrize(
    ("target", "name"),
    [pytest.param(target, path.name, id=path.name) for target in TARGETS.values() for path in target.regressions],
)
def test_what_failed_once(target: Target, name: str) -> None:
    target.one((CORPUS / target.name / name).read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_seeds_and_mutations_of_them(target: Target) -> None:
    """R03: two hundred and more where a reader takes them together; with FORENSICS_SLOW=1 dozens each alone, too."""
    seeds = target.seeds()
    assert seeds
    inputs = [*seeds[: target.replayed - 1], *itertools.islice(endless(seeds, target.name), target.replayed)]
    if target.many is not None:
        target.many(inputs)
    else:
        for data in inputs[: target.replayed]:
            target.one(data)
    for data in inputs[:: max(len(inputs) // TRIED, 1)] if TRIED else ():
        target.one(data)


def test_no_finding_of_a_target_that_is_gone() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


def test_the_promises_are_held() -> None:
    """A reader that loses an octet, or raises, is found out."""
    from tests.fuzz._promises import covered

    covered([(0, 5, True), (5, 2, False), (0, 3, True)], 7, disjoint=False)
    for spans in ([(0, 5, True)], [(0, 5, True), (6, 1, False)], [(0, 5, True), (4, 3, False)], [(0, 8, True)]):
        with pytest.raises(AssertionError):
            covered(spans, 7, disjoint=False)
    with pytest.raises(AssertionError, match="twice"):
        covered([(0, 5, True), (3, 4, True)], 7, disjoint=True)


def test_mutations_are_the_same_for_a_name() -> None:
    seeds = [b"a" * 50, b"b" * 50]
    assert grown(seeds, 50, "x") == grown(seeds, 50, "x") != grown(seeds, 50, "y")
    assert len(set(grown(seeds, 200, "x"))) > 190
