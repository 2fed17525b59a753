"""The only writer: a case's records as Parquet, checked when opened.

A store is a folder::

    case.json                      schema and version of the tool that wrote it
    records/<Record>/<id>.parquet  one file a record and source, rows in the order of the source; of a long source
                                   one a slice: <id>.parquet, <id>_000001.parquet, …; of more than 8,388,608 rows
                                   several: <id>.parquet, <id>_000000_000001.parquet, …
    sources.parquet  problems.parquet  clocks.parquet
    findings.json  report.html
    evidence.sha256                digests of the evidence (``cd EVIDENCE && sha256sum -c …``)
    manifest                       digests of all of the above (``cd CASE && sha256sum -c manifest``)
    manifest.sha256                digest of the manifest; the last file written
    journal                        what was read, and under which assumptions: the next run reads the rest only
    evidence.path                  where the evidence lay: a hint, no part of the content

It is built beside its final place and renamed into it when it is whole. A run that is stopped or killed leaves what it
finished, and the next one goes on from there. The same evidence, version and options give the same bytes: nothing here
depends on the clock, the machine, the order of work, or on what was there before.
"""

from forensics.store._draft import Draft, attempts_beside, clear
from forensics.store._files import as_json, checksum_line, digest
from forensics.store._journal import Entry
from forensics.store._remote import Remote, here, place_of, pull, push, stored, url_of
from forensics.store._sink import ROW_GROUP, Sink, part_key, part_name, part_of, shaped
from forensics.store._store import Store, is_store, scan

__all__ = [
    "ROW_GROUP",
    "Draft",
    "Entry",
    "Remote",
    "Sink",
    "Store",
    "as_json",
    "attempts_beside",
    "checksum_line",
    "clear",
    "digest",
    "here",
    "is_store",
    "part_key",
    "part_name",
    "part_of",
    "place_of",
    "pull",
    "push",
    "scan",
    "shaped",
    "stored",
    "url_of",
]
