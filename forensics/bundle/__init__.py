"""A case cut down to what its findings cite, to be given away: evidence of its own, with other names if asked for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from forensics import escape, report
from forensics.bundle import _captures, _documents
from forensics.bundle._captures import Cut, Kept
from forensics.bundle._declared import declared, passed_on
from forensics.bundle._documents import JSON, SQL
from forensics.bundle._files import ABOUT, CITATIONS, EVIDENCE, Draft
from forensics.bundle._html import replaced
from forensics.bundle._key import Key, new_key, read_key, write_key
from forensics.bundle._names import MERE, image_ids, macs, names
from forensics.bundle._places import CAPTURES, Chosen, chosen
from forensics.bundle._pseudonyms import Pseudonyms
from forensics.bundle._sql import Numbers, first_number
from forensics.bundle._text import Text
from forensics.case import Case
from forensics.case._config import NAME as CASE_FILE
from forensics.errors import CaseError
from forensics.evidence import EvidenceFile
from forensics.records.finding import identity
from forensics.store import as_json

__all__ = ["Options", "Shared", "share"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a bundle is to hold."""

    context: int = 0
    """Log records and packets to take before and after each that is cited."""
    everything: bool = False
    """All of the evidence, not only what is cited."""
    payload: bool = False
    """What packets carry, too."""
    unmasked: bool = False
    """Secrets as they are."""
    pseudonymise: bool = False
    key: Path | None = None
    """Key of an earlier bundle, so that both agree."""
    also: tuple[str, ...] = ()
    """Names to replace that the case does not know."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What was written."""

    path: Path
    key: Path | None
    files: int
    cited: int
    left_out: Mapping[str, str]
    """Sources that are not in it although they were to be, and why."""
    kept_names: Sequence[str]
    """Names that were not replaced, because logs are made of such words."""


def share(case: Case, target: Path, options: Options) -> Shared:
    """Write a bundle.

    Args:
        case: The case; its evidence must still be there.
        target: Folder of the bundle, ``NAME.bundle``.
        options: What it is to hold.

    Raises:
        CaseError: If nothing is cited, if options exclude each other, or if it cannot be written.
        EvidenceError: If the evidence is not there any more.
    """
    if options.payload and options.pseudonymise:
        raise CaseError("what packets carry cannot be pseudonymised", hint="leave --payload or --pseudonymise away")
    if (options.key or options.also) and not options.pseudonymise:
        raise CaseError("a key or a name without anything to replace", hint="add --pseudonymise")
    found = chosen(case, options.context)
    if not found and not options.everything:
        raise CaseError("no finding cites anything", where=str(case.path), hint="--all shares the whole evidence")
    for place in (case.path, case._evidence):
        if place is not None and target.resolve().is_relative_to(place.resolve()):
            raise CaseError(
                "the bundle would lie inside the case or its evidence", where=str(target), hint="give --out"
            )
    key_file = target.with_name(f"{target.name}.key.json") if options.pseudonymise else None
    if key_file is not None and options.key is None and key_file.exists():
        raise CaseError("there is a key already", where=str(key_file), hint=f"use it again: --key {key_file.name}")
    own = None
    literal: list[str] = []
    kept: list[str] = []
    if options.pseudonymise:
        own = Pseudonyms(read_key(options.key) if options.key else new_key(), MERE)
        single, literal, kept = names(case, options.also)
        own.add_names([*single, *literal])
        for mac in macs(case):
            own.mac(mac)
        _learn(own, image_ids(case))
    draft = Draft(target)
    try:
        told = _Bundle(case, options, own, literal, found, draft)
        told.write()
        if own is not None and key_file is not None:
            write_key(key_file, own.key, own.mapping)
        draft.seal()
    except BaseException:
        draft.abandon()
        raise
    return Shared(target, key_file, told.files, len(told.citations), told.left_out, kept)


def _learn(own: Pseudonyms, ids: Sequence[str]) -> None:
    """Base files follow the images that they were made of."""
    plain = Text(own, mask=False)
    for one in ids:
        own.learn(one, plain(one))


class _Bundle:
    """Writes the files of one bundle."""

    def __init__(
        self,
        case: Case,
        options: Options,
        own: Pseudonyms | None,
        literal: Sequence[str],
        found: Mapping[str, Chosen],
        draft: Draft,
    ) -> None:
        self._case, self._options, self._own, self._found, self._draft = case, options, own, found, draft
        self._text = Text(own, mask=not options.unmasked, literal=literal)
        self._shown = Text(own, mask=False, literal=literal)  # what passed through the case is masked already
        self._digest: Callable[[bytes], str] = _captures.sha256 if own is None else _keyed(own.key)
        self.files = 0
        self.citations: list[dict[str, Any]] = []
        self.left_out: dict[str, str] = {}
        self._dumps = set(case.sources.filter(pl.col("format").is_in(list(SQL)))["source"].to_list())

    def write(self) -> None:
        """Everything but the list of digests."""
        files = self._case.evidence_files()
        rows = {row["source"]: row for row in self._case.sources.iter_rows(named=True)}
        wanted = rows if self._options.everything else self._found
        shared = []
        for source in sorted(wanted):
            row = rows[source]
            if row["status"] == "configuration":
                continue
            why = self._refusal(row, files.get(source))
            if why is not None:
                self.left_out[source] = why
                continue
            self._source(row, files[source])
            shared.append(source)
        self.files = len(shared)
        config = files.get(CASE_FILE) if (self._case.sources["status"] == "configuration").any() else None
        if self._options.everything:
            toml = passed_on(self._case, config, shared, self._text)
        else:
            toml = declared(self._case, shared, self._text)
        if toml:
            with self._draft.evidence(CASE_FILE, None, 0) as out:
                out.write(toml)
        self._told()

    def _refusal(self, row: Mapping[str, Any], file: EvidenceFile | None) -> str | None:
        if file is None:
            return "it cannot be opened" if self._options.everything else "it is not there any more"
        strange = row["format"] is None and row["status"] == "not understood"
        readable = self._options.unmasked and self._own is None
        if strange and not readable and not _documents.is_text(file):
            return "nobody knows what is in it"
        return None

    def _source(self, row: Mapping[str, Any], file: EvidenceFile) -> None:
        source = row["source"]
        label = self._text.label(source)
        choice = self._found.get(source, Chosen((), (), False))
        with self._draft.evidence(label, row["compression"], file.modified_ns) as out:
            kept = self._written(row, file, out, choice)
        kind = "frame" if row["format"] in CAPTURES else "line"
        for one in sorted(kept, key=lambda one: one.position):
            self.citations.append(
                {
                    "source": label,
                    "locator": f"{kind}:{one.position}",
                    "locator_in_bundle": f"{kind}:{one.now}",
                    "offset_bytes": one.offset_bytes,
                    "length_bytes": one.length_bytes,
                    "digest_of_cut": one.digest,
                    "digest_of_file": row["sha256"] if self._own is None else self._keyed_file(row["sha256"]),
                    "digest": "sha256" if self._own is None else "hmac-sha256",
                }
            )

    def _keyed_file(self, sha256: str | None) -> str | None:
        return None if sha256 is None else self._digest(sha256.encode())

    def _written(self, row: Mapping[str, Any], file: EvidenceFile, out: Any, choice: Chosen) -> list[Kept]:
        form = row["format"] or ""
        whole, context = self._options.everything, self._options.context
        if form in CAPTURES:
            cut = Cut(self._own, self._text, self._options.payload, self._digest)
            cited = {place.position for place in choice.cited}
            return _captures.share(file, out, None if whole else choice.frames(context), cited, cut)
        numbers = Numbers(self._own, mask=not self._options.unmasked) if form in SQL else None
        text, digest = self._text, self._digest
        if not whole and numbers is not None:
            return _documents.rows(file, out, choice.cited, text, numbers, digest)
        if not whole and form in JSON:
            return _documents.elements(file, out, choice.cited, text, digest)
        if not whole and (choice.is_log or not _documents.is_small(file)):
            cited = {place.position for place in choice.cited}
            return _documents.lines(file, out, choice.places, cited, text, digest, head=not choice.is_log)
        return _documents.whole(file, out, choice.cited, text, numbers, digest)

    def _told(self) -> None:
        """Findings, report, citations, and what the bundle is."""
        content = {key: _copied(value) for key, value in self._case.content.items()}
        if self._own is not None:
            for one in content["findings"]:
                self._shown.words[one["id"]] = self._renamed(one)
                self._excerpts(one)
        page = report.render(content, self._case.rows)
        plain = {key: content[key] for key in ("schema", "findings", "not_checked")}
        if self._own is not None:
            plain = self._mapped(plain)
            page = replaced(page, self._shown)
        self._draft.put("findings.json", as_json(plain))
        self._draft.put(report.NAME, page)
        schema = dict.fromkeys(_CITATION, pl.String()) | dict.fromkeys(("offset_bytes", "length_bytes"), pl.Int64())
        rows = pl.DataFrame(self.citations, schema={name: schema[name] for name in _CITATION})
        self._draft.put(CITATIONS, escape.csv_cells(rows).write_csv().encode())
        about = {
            "schema": 1,
            "tool": content["about"]["tool"],
            "title": None if self._case.title is None else self._shown(self._case.title),
            "evidence": EVIDENCE,
            "everything": self._options.everything,
            "context": self._options.context,
            "secrets": "as they are" if self._options.unmasked else "masked",
            "payload": "as captured" if self._options.payload else "cut off behind the headers",
            "pseudonymised": self._own is not None,
            "left_out": {self._shown.label(source): why for source, why in sorted(self.left_out.items())},
        }
        self._draft.put(ABOUT, as_json(about))

    def _renamed(self, one: Mapping[str, Any]) -> str:
        """The id that a finding has once its entities bear other names."""
        assert self._own is not None
        if identity(one["kind"], one["entities"]) == one["id"]:
            return identity(one["kind"], self._mapped(one["entities"]))
        return self._own.key.octets("finding", one["id"].encode(), 6).hex()

    def _excerpts(self, value: Any) -> None:
        """Rows of dumps, as findings quote them, with the same row numbers as in the bundle."""
        if isinstance(value, dict):
            if value.get("excerpt") and value.get("source") in self._dumps:
                value["excerpt"] = self._row(value["excerpt"])
            for inner in value.values():
                self._excerpts(inner)
        elif isinstance(value, list):
            for inner in value:
                self._excerpts(inner)

    def _row(self, excerpt: str) -> str:
        assert self._own is not None
        told = self._own.mapping.get("number", {})
        return first_number(excerpt, told)

    def _mapped(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._shown(value)
        if isinstance(value, Mapping):
            return {self._shown(str(key)): self._mapped(inner) for key, inner in value.items()}
        return [self._mapped(inner) for inner in value] if isinstance(value, (list, tuple)) else value


_CITATION = (
    "source",
    "locator",
    "locator_in_bundle",
    "offset_bytes",
    "length_bytes",
    "digest_of_cut",
    "digest_of_file",
    "digest",
)


def _copied(value: Any) -> Any:
    """Plain values that can be changed without changing the case."""
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _keyed(key: Key) -> Callable[[bytes], str]:
    """Digests that only who has the key can compare: a plain one would let anybody try out originals."""
    return lambda data: hmac.new(key.secret, data, hashlib.sha256).hexdigest()
