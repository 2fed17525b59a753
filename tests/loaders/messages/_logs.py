"""Reads log text in tests as the loader does: framing first, then messages."""

import gzip
import io

import polars as pl

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders.log_files import READERS
from forensics.records import Record
from tests._evidence import evidence_root


def rows_of(record: type[Record], text: str | bytes, source: str = "cc12/nova-compute.log", **origin) -> pl.DataFrame:
    """Rows of one record in a log, checked against its rules."""
    octets = text.encode() if isinstance(text, str) else text
    batches = READERS[0].batches(stream_of(io.BytesIO(octets), "x"), Origin(source, **origin), records=[record])
    found = [batch.rows[record] for batch in batches if record in batch.rows]
    return record.validate(pl.concat(found) if found else record.empty())


def rows_in(record: type[Record], path: str) -> pl.DataFrame:
    """The same of a file of the evidence collection; skips the test where there is none."""
    file = evidence_root() / path
    octets = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return rows_of(record, octets, path)


def nova_logs() -> list[str]:
    """Logs of nova in the collection, as paths inside it."""
    root = evidence_root()
    found = [*root.glob("logs/openstack/live-migration/*/nova/*.log"), *root.glob("logs/openstack/loghub/*.log")]
    return sorted(str(path.relative_to(root)) for path in found)
