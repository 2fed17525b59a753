"""What the formats of port events share: a wording as data, and the columns that follow from it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from forensics.loaders._message_format import MessageFormat, Sample
from forensics.records import PortEvent

IF = r"(?P<interface>\S+?)"
_PAIR, _QUAD = "[0-9A-Fa-f]{2}", "[0-9A-Fa-f]{4}"
MAC = rf"(?P<mac>{_PAIR}(?::{_PAIR}){{5}}|{_PAIR}(?:-{_PAIR}){{5}}|(?:{_QUAD}[.-]){{2}}{_QUAD})"
"""An address as ``fa:16:3e:24:e7:22``, ``fa16.3e24.e722``, ``fa16-3e24-e722`` or ``fa-16-3e-24-e7-22``."""
TAG = r"%(?P<facility>[A-Z0-9_]+(?:-[A-Z][A-Z0-9_]*)*)-(?P<level>[0-7])-(?P<mnemonic>[A-Z0-9_-]+)\x20?:\x20?"
"""``%SPANTREE-4-BLOCK_BPDUGUARD: ``; the facility of a chassis has the slot in it: ``%LINK-SP-3-UPDOWN``."""
KERNEL = r"(?:<\d>)?(?:\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s+)*"
"""What printk puts before a message: seconds since the start, and from Linux 5.1 the thread or processor."""

_STATES = {
    "bpdu_received": "errdisabled",
    "error_disabled": "errdisabled",
    "inactive": "inactive",
    "active": "up",
    "no_active_member": "down",
    "first_member": "up",
} | {f"{what}_{went}": went for what in ("link", "protocol", "member") for went in ("up", "down")}
_ENTERED = {"discarding": "blocking", "forward": "forwarding", "listen": "listening", "learn": "learning"}
_GROUP = re.compile(r"\(\?P<(\w+)>")
_HELPERS = ("went", "entered", "mlag", "administrative")
_COLUMNS = ("interface", "cause", "master", "description", "mac", "vlan", "facility", "level", "mnemonic")


@dataclass(frozen=True, slots=True)
class Wording:
    """One thing that a switch or a kernel says of a port.

    Args:
        event: The event; where it ends in ``_`` the group ``went`` gives the rest: ``link_`` with ``DOWN`` is
            ``link_down``. ``entered`` takes it from the group of that name.
        pattern: Rust regular expression, verbose, unanchored. Groups are named as columns of `PortEvent`; ``mlag`` is
            the number of an MLAG, and a group ``administrative`` says that an operator did it.
        samples: At least one; the event is part of what each must give.
        state: The port's state after it, where it is not the usual one of the event; an empty text for none.
        cause: The cause, where the line has no group for it.
    """

    event: str
    pattern: str
    samples: tuple[Sample, ...]
    state: str | None = None
    cause: str | None = None


def port_format(
    name: str,
    vendor: str,
    wordings: Sequence[Wording],
    *,
    reference: str,
    said_by: str,
    program: str,
    alone: tuple[str, ...] = (),
    front: str = TAG,
    back: str = r"\s*(?:\n(?s:.*))?$",
    whole: bool = False,
) -> MessageFormat:
    """A message format out of its wordings: ``front``, then one of them, then ``back``.

    With ``whole`` a name and a colon that begin a message stay part of it, though a tag would look the same.
    """
    counter = itertools.count(1)
    parts = []
    for number, wording in enumerate(wordings):
        pattern = _GROUP.sub(lambda found: f"(?P<{found[1]}__{next(counter)}>", wording.pattern)
        parts.append(f"(?P<said{number}>{pattern})")
    return MessageFormat(
        name=name,
        record=PortEvent,
        reference=reference,
        program=program,
        said_by=said_by,
        alone=alone,
        whole=whole,
        constants={"vendor": vendor},
        pattern=f"^{front}(?:{'|'.join(parts)}){back}",
        shape=partial(_shape, wordings),
        samples=tuple(sample for wording in wordings for sample in wording.samples),
    )


def _shape(wordings: Sequence[Wording], rows: pl.DataFrame) -> pl.DataFrame:
    """Event, state and cause by the wording that matched; the rest by its groups."""
    rows = rows.filter(
        pl.col("logger").is_null()
    )  # OpenStack's services log with a logger, switches and kernels do not
    missing = [name for name in (*_HELPERS, *_COLUMNS) if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in missing)
    went = pl.col("went").str.to_lowercase()
    entered = pl.col("entered").str.to_lowercase().replace(_ENTERED)

    def said(what: Sequence[pl.Expr]) -> pl.Expr:
        cases = (pl.when(pl.col(f"said{n}").is_not_null()).then(case) for n, case in enumerate(what))
        return pl.coalesce([case.otherwise(pl.lit(None, dtype=pl.String)) for case in cases])

    def event(word: str) -> pl.Expr:
        return entered if word == "entered" else pl.lit(word) + went if word.endswith("_") else pl.lit(word)

    by_operator = pl.when(pl.col("administrative").is_not_null()).then(pl.lit("administratively down"))
    rows = rows.with_columns(
        event=said([event(wording.event) for wording in wordings]),
        stated=said([pl.lit(wording.state, dtype=pl.String) for wording in wordings]),
        known=said([pl.lit(wording.cause, dtype=pl.String) for wording in wordings]),
    )
    usual = pl.col("event").replace_strict(_STATES, default=None, return_dtype=pl.String)
    digits = pl.col("mac").str.replace_all(r"[^0-9A-Fa-f]", "").str.to_lowercase()
    return rows.with_columns(
        state=pl.when(pl.col("stated") != "").then("stated").when(pl.col("stated").is_null()).then(usual),
        cause=pl.coalesce(pl.col("cause").str.strip_chars(" .,"), "known", by_operator),
        interface=pl.col("interface").str.strip_chars(" .,"),
        master=pl.coalesce("master", pl.lit("MLAG ") + pl.col("mlag")),
        mac=digits.str.replace(r"^(..)(..)(..)(..)(..)(..)$", "$1:$2:$3:$4:$5:$6"),
        # a sequence number that stood in the place of a tag is nobody's name
        agent=pl.when(pl.col("program").str.contains(r"^\d+$").not_()).then("program"),
        # a routing engine of Junos puts its own name before the router's
        host=pl.col("host").str.replace(r"^re[01]\.(.)", "$1"),
    )
