"""A folder of evidence, or a case made of it, as data frames and findings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from forensics import escape
from forensics import records as known
from forensics.analysis._notification_pairs import operations
from forensics.analysis.entities import conflicts
from forensics.case._build import Finish, Kept, build, default_target, unchanged
from forensics.case._bundled import evidence_of
from forensics.case._charts import Charts, stacked
from forensics.case._cite import cited, damage, places_in, places_of, references_in
from forensics.case._database import FOLDER
from forensics.case._database import kept as dumps_of
from forensics.case._findings import CaseFinding, Findings, from_file
from forensics.case._lanes import narrowed
from forensics.case._load import Advance
from forensics.case._notes import NAME as NOTES_FILE
from forensics.case._notes import NOTES, note, notes, with_notes
from forensics.case._progress import watched
from forensics.case._query import query_failed
from forensics.case._rows import Rows
from forensics.case._tables import TABLES, TIMED
from forensics.case._time import mentions, timeline
from forensics.case._who import Belongings, spelled, who
from forensics.errors import CaseError, StoreDamagedError
from forensics.evidence import EvidenceFile, unfolded, walk
from forensics.records import Finding, LazyFrame, LogRecord, Packet, Record, Reference
from forensics.store import Store, clear, here, is_store, pull, stored, url_of

Path_ = str | os.PathLike[str]


class Case:
    """A case: what the evidence says, and what follows from it.

    Made by `open_case`. Frames are polars; ``LazyFrame`` means that nothing is read before ``collect``.
    """

    def __init__(self, store: Store, evidence: Path | None) -> None:
        self._store = store
        self._evidence = evidence
        self._files: dict[str, EvidenceFile] | None = None
        tables = {name: store.table(name, record) for name, record in TABLES.items() if name in _SMALL}
        self._rows = Rows(store.parts, **tables, zone_shifts_s=store.about["zone_shifts_s"])
        self._content: dict[str, Any] = json.loads(store.read("findings.json"))

    @property
    def path(self) -> Path:
        """Folder of the case."""
        return self._store.path

    @property
    def title(self) -> str | None:
        """What ``case.toml`` calls the incident."""
        title: str | None = self._store.about["title"]
        return title

    @property
    def sources(self) -> pl.DataFrame:
        """What each file is, what it yielded, its clock's zone, its SHA-256: one row per `Source`."""
        return self._rows.sources

    @property
    def problems(self) -> pl.DataFrame:
        """What could not be read, counted: one row per `Problem`."""
        return self._rows.problems

    @property
    def clocks(self) -> pl.DataFrame:
        """How far each source's clock is off: one row per `Clock`. Zones that were found are taken out already."""
        return self._rows.clocks

    @property
    def edges(self) -> pl.DataFrame:
        """What belongs to what, and when: one row per `Edge`."""
        return self._rows.edges

    @property
    def spans(self) -> pl.LazyFrame:
        """Stretches of the sources that are no rows: `Span`."""
        return self._rows(known.Span)

    @property
    def losses(self) -> pl.LazyFrame:
        """Losses that the evidence itself admits: `Loss`."""
        return self._rows(known.Loss)

    @property
    def packets(self) -> LazyFrame[Packet]:
        """All captured packets."""
        return self.records(Packet)

    @property
    def log_records(self) -> LazyFrame[LogRecord]:
        """All log records."""
        return self.records(LogRecord)

    @property
    def dhcp_messages(self) -> LazyFrame[known.DhcpMessage]:
        """All DHCP messages, of captures and of logs."""
        return self.records(known.DhcpMessage)

    @property
    def operations(self) -> pl.DataFrame:
        """What notifications show to have begun and ended: one row per `Operation`."""
        return operations(self.records(known.Notification))

    def records(self, record: type[Record]) -> LazyFrame[Any]:
        """All rows of a record; no rows where the case has none.

        Examples:
            ``case.records(DhcpClientEvent).collect()``
        """
        return self._rows(record)  # type: ignore[return-value]

    @property
    def findings(self) -> Findings:
        """What the analyses conclude, worst first."""
        return Findings(from_file(self._content), self._rows)

    def charts(self, findings: Sequence[CaseFinding] | None = None, *, dark: bool = False) -> Charts:
        """Charts of findings (all where None) below each other on one axis of time: zoom one, and all follow.

        Examples:
            ``case.charts().save("charts.html")``
        """
        return stacked(self.findings if findings is None else findings, dark=dark)

    @property
    def not_checked(self) -> pl.DataFrame:
        """What was not looked for, and which evidence would let it be: ``kind``, ``missing``."""
        schema: dict[str, pl.DataType] = {"kind": pl.String(), "missing": pl.List(pl.String())}
        return pl.DataFrame(self._content["not_checked"], schema=schema)

    def cite(
        self, what: pl.DataFrame | pl.LazyFrame | CaseFinding | Finding | Reference | Sequence[Any]
    ) -> pl.DataFrame:
        """The original bytes behind rows or findings, read from the evidence again.

        Args:
            what: Rows of any record (with ``source``, ``offset_bytes`` and ``length_bytes``), a finding, a
                reference, or several of these.

        Returns:
            One row a place: ``source``, ``position``, ``offset_bytes``, ``length_bytes``, ``raw`` (the octets),
            ``text`` (the same as text that is safe to show). Offsets count decompressed octets.

        Raises:
            CaseError: If rows lack the columns that say where they come from.
            EvidenceError: If the evidence is not there any more.
        """
        if isinstance(what, pl.LazyFrame):
            what = what.collect()
        places = places_in(what) if isinstance(what, pl.DataFrame) else places_of(references_in(what), self._rows)
        return cited(places, self.evidence_files())

    def evidence_files(self) -> Mapping[str, EvidenceFile]:
        """The files of the evidence that can be opened now, by source."""
        if self._files is None:
            found = [] if (root := self._evidence) is None or not root.exists() else list(unfolded(walk(root)))
            found += dumps_of(self.path, [file.source for file in found])
            self._files = {file.source: file for file in found if not file.refusal}
        return self._files

    def timeline(
        self,
        *,
        entity: str | None = None,
        around: str | datetime | None = None,
        minutes: float = 5,
        host: str | None = None,
        search: str | None = None,
    ) -> pl.DataFrame:
        """Everything that the records say of something, or of some minutes, on one clock.

        Args:
            entity: An address, a host, an instance, a request id or any text.
            around: An instant, ISO 8601; UTC where it names no zone.
            minutes: How far to look before and after ``around``.
            host: Only what that host recorded.
            search: Only rows with all of these words, in any column and case.

        Returns:
            By ``at``: ``at`` (on the reference clock), ``bound_s`` (how sure that is; null where nothing ties the
            source's clock), ``host``, ``record``, ``text``, ``source``, ``position``, ``ts`` (as the source has it),
            ``offset_bytes``, ``length_bytes``. Rows without a time come last. `notes` with an instant stand among
            them, as record ``Note``.
        """
        found = timeline(self._rows, TIMED, entity=entity, around=around, minutes=minutes)
        noted = with_notes(found, self.notes, entity=entity, around=around, minutes=minutes)
        return narrowed(noted, host=host, search=search)

    @property
    def notes(self) -> pl.DataFrame:
        """What analysts wrote down: ``at``, ``text``, ``tags``, ``source``, ``position``; by time."""
        return notes(self._store.read(NOTES_FILE)) if self._store.has(NOTES_FILE) else pl.DataFrame(schema=NOTES)

    def note(
        self,
        text: str,
        *,
        at: str | datetime | None = None,
        tags: Sequence[str] = (),
        source: str | None = None,
        position: int | None = None,
    ) -> None:
        """Write something down at an instant (UTC unless it names a zone), or on a line or packet; kept in the case."""
        place = (source, position) if source is not None and position is not None else None
        kept = self._store.read(NOTES_FILE) if self._store.has(NOTES_FILE) else b""
        self._store.add(NOTES_FILE, kept + note(text, at, tags, place))

    @property
    def conflicts(self) -> pl.DataFrame:
        """What the evidence tells of one time and cannot both be so: see `forensics.analysis.entities.conflicts`."""
        return conflicts(self.edges)

    def who(self, name: str, at: str | datetime | None = None) -> Belongings:
        """What belongs to something, directly and by way of what is its own, and when it did.

        Args:
            name: A MAC in any spelling, an IP address, uuid, any name of an instance, tap, host, switch port, image,
                base file, user, project, request, ``i-0000002a`` or ``ami-00000007``.
            at: An instant, ISO 8601, UTC where it names no zone: what belonged to it then. Of all time where None.

        Returns:
            Nearest first: ``kind``, ``name``, ``from_at``, ``to_at`` (null where open), ``via`` (the way there),
            ``hop``, ``conflict`` (what contradicts it), ``told_by``, ``rows`` and its place; ``chart()`` draws it.

        Examples:
            ``case.who("fa:16:3e:24:e7:22", at="2013-02-15 01:40:18")``: instance, host, image, user, switch port, then
        """
        return who(self.edges, name, at, self.sources)

    def mentions(self, entity: str) -> pl.DataFrame:
        """Where the records speak of something.

        Returns:
            One row for each record, source and host: ``record``, ``source``, ``host``, ``rows``, ``first_at``,
            ``last_at`` (as the source's own clock has them); the earliest first.
        """
        return mentions(self._rows, TIMED, spelled(entity))

    def sql(self, query: str) -> pl.DataFrame:
        """Ask in SQL (polars' dialect). Tables: those of `tables`."""
        context = pl.SQLContext({name: self._rows(record) for name, record in TABLES.items()})
        try:
            answer = context.execute(query, eager=True)
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise query_failed(error, tuple(TABLES)) from error
        return answer

    def add(self, name: str, data: bytes) -> Path:
        """Put one more file, such as a report, into the case."""
        self._store.add(name, data)
        return self.path / name

    @property
    def content(self) -> Mapping[str, Any]:
        """The content of ``findings.json``, with ``about`` the case."""
        return {**self._content, "about": self._store.about}

    @property
    def rows(self) -> Rows:
        """Gives all rows of a record."""
        return self._rows

    def __repr__(self) -> str:
        return "\n".join(
            [f"<Case {escape.line(self.path.name)}: {self._size()}>", *map(escape.line, self._headlines())]
        )

    def _repr_html_(self) -> str:
        name = escape.html(self.title or self.path.name)
        items = "".join(f"<li>{escape.html(text)}</li>" for text in self._headlines())
        return f"<div><b>{name}</b><div style='opacity:.65'>{escape.html(self._size())}</div><ul>{items}</ul></div>"

    def _size(self) -> str:
        files = self.sources.filter(pl.col("status") != "configuration")
        counts = (
            (files.height, "source"),
            (int(files["rows"].sum()), "row"),
            (len(self._content["findings"]), "finding"),
        )
        return ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts)

    def _headlines(self) -> list[str]:
        return [f"{one['severity'].upper()} ({one['confidence']}) {one['title']}" for one in self._content["findings"]]


_SMALL = ("sources", "problems", "clocks", "edges")


def verify(path: Path_, *, evidence: Path_ | None = None) -> list[tuple[str, str]]:
    """Compare a case and the evidence that it was made of with their digests.

    Args:
        path: The case.
        evidence: Where the evidence lies now, if it was moved.

    Returns:
        Name and what is wrong; nothing where all is well. Evidence is looked at when the case itself is whole.

    Raises:
        CaseError: If there is no case.
        StoreDamagedError: If the list of digests itself was changed.
    """
    store = Store(here(path), check=False)
    wrong = [(f"{store.path.name}/{name}", what) for name, what in store.damage()]
    if wrong:
        return wrong
    case = Case(store, Path(evidence) if evidence is not None else store.hint())
    return damage(case.sources, case.evidence_files())


def open_case(
    path: Path_ | None,
    *,
    database: str | None = None,
    out: Path_ | None = None,
    evidence: Path_ | None = None,
    workers: int = 0,
    client: Any = None,
    again: bool = False,
    begin: Callable[[int], None] | None = None,
    advance: Advance | None = None,
    kept: Kept | None = None,
    finish: Finish | None = None,
) -> Case:
    """Open a folder of evidence, or a case that was made of one.

    Evidence is read into a case; if there is one already, of the same version of this tool and of files
    with the same names, sizes and modification times (and digests, where the system touched them since), that one is
    opened. Otherwise only new and changed files are read, and the rest is taken over, also from a run that was stopped
    or killed. The case is the same, octet for octet, as one that is made from nothing.

    Args:
        path: Folder of evidence, one file of it, or a case (also ``s3://…``); None where a database is all there is.
        database: URL of a running MySQL, MariaDB or PostgreSQL to read as well, in one read-only transaction:
            ``mysql://USER@HOST/nova``. What is read is kept in the case as a dump; the password never is.
        out: Folder of the case, or a URL such as ``s3://bucket/x.case``; ``NAME.case`` in the current folder where
            None, or beside the evidence if the current folder is inside it.
        evidence: Where the evidence of a case lies now, if it was moved.
        workers: Processes that read at a time; 0 to choose.
        client: A ``distributed.Client``: the files are read by its cluster (docs/scale.md).
        again: Read the evidence again whatever there is.
        begin: Called once with the octets that there are to read; in a notebook a bar is shown where None.
        advance: Called with octets that were read.
        kept: Called with the number of sources that are taken over, and of all, if any is.
        finish: Makes further files of the case.

    Raises:
        EvidenceError: If there is nothing there.
        CaseError: If ``case.toml`` makes no sense, or the case cannot be written.
        DatabaseError: If the database cannot be read.
        StoreDamagedError: If the case no longer matches its digests.
        StoppedError: If the system refuses what the case needs: run again, it goes on from there.

    Examples:
        ``case = open_case("incident-0215/")`` and then ``case.findings``, ``case.sources``, ``case.packets``
    """
    if path is None and database is None:
        raise CaseError("there is nothing to open", hint="give a folder of evidence, a case, or a database")
    given = None if path is None else here(path)
    if given is not None and is_store(given):
        if database is not None:
            raise CaseError("a finished case takes no database", where=str(given), hint="give the evidence, and --out")
        store = Store(given, url=None if path is None else url_of(path))
        return Case(store, Path(evidence) if evidence is not None else store.hint())
    url = None if out is None else url_of(out)
    target = default_target(Path(FOLDER) if given is None else given) if out is None else Path(out)
    target = target if url is None else pull(url)
    given = None if given is None else evidence_of(given)
    if given is not None and database is None and not again and is_store(target):
        try:
            case = Case(Store(target, url=url), given)
        except (StoreDamagedError, CaseError):
            pass  # it can be made again from what is here
        else:
            if unchanged(case.sources, case._store, given):
                clear(target)
                stored(target, url)
                return case
    with watched(begin, advance) as (begin, advance):
        options: dict[str, Any] = {"workers": workers, "client": client, "url": url, "again": again, "kept": kept}
        built = build(given, target, database=database, begin=begin, advance=advance, finish=finish, **options)
    stored(built, url)
    return Case(Store(built, check=False, url=url), given)
