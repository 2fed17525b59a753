"""Whether what a triage said agrees with what is true: bundled and generated cases are measured by one rule."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from forensics._discovery import modules

INSTANT_S = 1.0
"""Instants and spans of time: the clocks of most logs know no finer."""


class Fast(NamedTuple):
    """How far a clock is ahead of the true time."""

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    from_s: float = 0.0
    """The offset is so at this instant, seconds since 1970; the drift counts from then on."""

    def at(self, true_s: float) -> float:
        """How far at an instant, seconds."""
        return self.offset_s + (true_s - self.from_s) * self.drift_ppm * 1e-6


Ahead = tuple[Fast, ...]
RIGHT: Ahead = (Fast(),)
SHARE = 0.05
"""Slopes, ratios and other measured figures: relative to the truth."""
CONCLUDED = {kind for module in modules("forensics.analysis") for kind in getattr(module, "KINDS", {})}
"""Kinds that an analysis looks for; what else a truth holds is not told yet, and `not_checked` says so."""


def seconds(stamp: str) -> float:
    """Seconds since 1970 of an ISO stamp with up to nine decimals."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{fraction or 0}")


def agrees(key: str, said: object, true: object, ahead: Ahead = RIGHT, slack_s: float = 0.0) -> bool:
    """Whether a fact is told rightly.

    Args:
        key: Name of the fact.
        said: What was told, instants on one of the clocks that are ``ahead``.
        true: What is true. None claims nothing where nothing in the evidence shows it.
        ahead: How far the reference clocks are ahead of the true time, one or several.
        slack_s: How far the clocks are off that nothing in the evidence ties to any other.
    """
    if isinstance(true, str) and (key.endswith("_at") or key in ("at", "from", "to")):
        return isinstance(said, str) and any(
            abs(seconds(said) - clock.at(seconds(true)) - seconds(true)) <= INSTANT_S + slack_s for clock in ahead
        )
    if isinstance(true, str) and isinstance(said, str):
        return said == true or short(said) == short(true)
    if isinstance(true, Mapping):
        told: Mapping[str, object] = said if isinstance(said, Mapping) else {}
        return all(agrees(name, told.get(name), one, ahead, slack_s) for name, one in true.items())
    if isinstance(true, list):
        return isinstance(said, list) and same(key, said, true, ahead, slack_s)
    if isinstance(true, float) and isinstance(said, int | float):
        slack = INSTANT_S if key.endswith(("_s", "_at")) else 0.0
        return abs(said - true) <= max(slack, SHARE * abs(true))
    return said == true


def short(name: str) -> str:
    """A host without its domain: short and full form of one name are the same thing to a reader."""
    return name.partition(".")[0].lower() if "." in name and not name[0].isdigit() and "/" not in name else name


def same(key: str, said: Sequence[object], true: Sequence[object], ahead: Ahead, slack_s: float) -> bool:
    """Whether two lists hold the same things: in the same order where the order says something."""
    if len(said) != len(true):
        return False
    if key in ("lost_between", "deployments", "between"):
        return all(agrees("", one, other, ahead, slack_s) for one, other in zip(said, true, strict=True))
    left = list(said)
    for one in true:
        match = next((other for other in left if agrees("", other, one, ahead, slack_s)), None)
        if match is None:
            return False
        left.remove(match)
    return True


class Score(NamedTuple):
    """How a triage of one case fared."""

    expected: int
    """Findings that the truth has."""
    found: int
    """Those of them that were told, whatever their facts."""
    extra: list[str]
    """Findings above ``info`` that nothing in the truth calls for."""
    facts: int
    """Facts that the truth has, of the findings that were told."""
    wrong: list[str]
    """Those of them that were told wrongly."""


def score(
    truth: Mapping[str, Any], said: Sequence[Mapping[str, Any]], ahead: Ahead = RIGHT, slack_s: float = 0.0
) -> Score:
    """Measure findings, as ``findings.json`` has them, by a truth.

    Each true finding is paired with the told one of its kind that agrees in most facts. Findings that the truth lists
    under ``explained`` or ``around`` may be told, and need not be. A fact that is None in the truth is not measured.
    """
    left = list(said)
    found = facts = 0
    wrong: list[str] = []
    due = [one for one in truth["findings"] if one["kind"] in CONCLUDED]
    for one in due:
        known = {key: value for key, value in one["facts"].items() if value is not None}
        misses = [
            (sorted(k for k, v in known.items() if not agrees(k, other["facts"].get(k), v, ahead, slack_s)), n)
            for n, other in enumerate(left)
            if other["kind"] == one["kind"]
        ]
        if not misses:
            wrong.append(f"{one['kind']} is not told")
            continue
        bad, place = min(misses, key=lambda miss: (len(miss[0]), miss[1]))
        other = left.pop(place)
        found, facts = found + 1, facts + len(known)
        wrong += [f"{one['kind']}.{key}: {other['facts'].get(key)!r}, not {known[key]!r}" for key in bad]
    allowed = [one["kind"] for name in ("explained", "around") for one in truth.get(name, ()) if "kind" in one]
    extra = [one for one in left if one["severity"] != "info" and one["kind"] not in allowed]
    return Score(len(due), found, [f"{one['severity']} {one['kind']}: {one['title']}" for one in extra], facts, wrong)


def clocks_off(truth: Mapping[str, Any], clocks: pl.DataFrame) -> tuple[Ahead, float]:
    """How far the reference clocks are ahead of the true time, and how far those are off that nothing ties to one."""
    true = {name: _fast(one) for name, one in truth.get("clocks", {}).items()}
    references = clocks["reference"].drop_nulls().unique().sort().to_list()
    ahead = tuple(true.get(name, Fast()) for name in references) or RIGHT
    untied = set(true) - set(clocks.filter(pl.col("reference").is_not_null())["source"])
    return ahead, max((abs(true[name].offset_s - ahead[0].offset_s) for name in untied), default=0.0)


def _fast(told: Mapping[str, Any]) -> Fast:
    """A clock as a truth tells of it; without the instant from which its drift counts it has none."""
    if (since := told.get("drift_from")) is None:
        return Fast(told.get("offset_s", 0.0))
    return Fast(told["offset_s"], told["drift_ppm"], seconds(since))
