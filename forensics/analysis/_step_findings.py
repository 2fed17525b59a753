"""Findings of clocks that were set inside the evidence."""

from __future__ import annotations

import polars as pl

from forensics.analysis._clock_steps import Step, own_steps, steps_in
from forensics.analysis._correlate import SECOND_NS
from forensics.records import Alternative, Finding
from forensics.records import Step as Told
from forensics.records.finding import identity, iso


def step_findings(
    clocks: pl.DataFrame, messages: pl.LazyFrame, packets: pl.LazyFrame, logs: pl.LazyFrame
) -> list[Finding]:
    """One finding per step of a clock.

    Args:
        clocks: One row per `Clock`.
        messages: One row per `DhcpMessage`.
        packets: One row per `Packet`.
        logs: One row per `LogRecord`.
    """
    stepped = clocks.filter(pl.col("pieces").list.len() > 1)["source"].implode()
    at = pl.col("ts").to_physical().cast(pl.Int64)
    cited = [
        frames.filter(pl.col("source").is_in(stepped) & pl.col("ts").is_not_null()).select(
            "source", locator=pl.format(form, "position"), at=at
        )
        for frames, form in ((packets, "frame:{}"), (messages.filter(pl.col("seen_by") != "capture"), "line:{}"))
    ]
    measured = steps_in(clocks, pl.concat(cited))
    known = [(step, step.source) for step in own_steps(logs)]
    told: list[tuple[Step, str]] = []
    of_machine: dict[str, list[Step]] = {}
    for step, other in (*measured, *known):
        mine = of_machine.setdefault(step.host.partition("/")[0].partition(".")[0].lower(), [])
        if not any(_same(step, one) for one in mine):
            mine.append(step)
            told.append((step, other))
    steady = clocks.filter((pl.col("pieces").list.len() <= 1) | pl.col("pieces").is_null(), pl.col("exchanges") > 0)
    sure = set(steady["reference"].drop_nulls().to_list())
    return [_finding(step, other, alone=other == step.source or other in sure) for step, other in told]


def _same(one: Step, other: Step) -> bool:
    """Whether two of a machine tell of one step: alike in size, within the stretch in which either saw it."""
    by = [step.by_ns for step in (one, other)]
    alike = by[0] is None or by[1] is None or abs(by[0] - by[1]) <= 2 * SECOND_NS
    return alike and abs(one.at_ns - other.at_ns) <= 3600 * SECOND_NS


def _finding(step: Step, other: str, *, alone: bool) -> Finding:
    """The finding; ``alone`` says whether it can only have been this clock."""
    machine = step.host.partition("/")[0]
    by_s = None if step.by_ns is None else step.by_ns / SECOND_NS
    bound_s = None if step.bound_ns is None else step.bound_ns / SECOND_NS
    way = "forward" if by_s is not None and by_s > 0 else "back"
    least = "at least " if bound_s is None else ""
    title = f"The clock of {machine} was set {way} by {least}{abs(by_s or 0.0):.3f} s"
    if not alone:
        title += f", or that of {other} was set the other way"
    at = iso(step.at_ns)
    entities = {"hosts": (machine,)}
    return Finding(
        kind="clock-skew",
        title=title,
        severity="info",
        confidence="proven" if bound_s is not None and alone else "likely",
        start=at,
        end=at,
        entities=entities,
        facts={
            "between": [step.source, other],
            "offset_s": by_s,
            "uncertainty_s": bound_s,
            "basis": step.basis,
            "stepped_at": at,
        },
        story=(Told(at, f"{title}: {step.basis}", step.refs),),
        evidence=step.refs,
        alternatives=(
            Alternative(
                "lines were written out of order, or a machine stood still",
                "ruled out" if bound_s is not None else "open",
                step.basis,
                step.refs,
            ),
            Alternative(
                f"the clock of {other} was set",
                "ruled out" if alone else "open",
                "its own log says so, or other sources keep step with the reference"
                if alone
                else "no third source shows which of the two it was",
            ),
        ),
        remedy=(
            f"Do not take differences of stamps of {machine} across {at}: a span may be the clock.",
            "Let the clock be set once at boot and slewed from then on: `makestep 1.0 3` in chrony.conf, `ntpd -g`.",
        ),
        next_evidence=(f"`journalctl -u chrony -u ntp -u systemd-timesyncd` of {machine} around {at}",),
        id=identity("clock-skew", {**entities, "interfaces": (f"set {at}", step.source)}),
    )
