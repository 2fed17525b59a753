"""Log files: any framing that the folder ``lines`` knows, line by line, also mixed in one file."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from forensics.evidence import Stream
from forensics.loaders._line_reader import batches, likeness
from forensics.loaders._message_format import MessageReader
from forensics.loaders._reader import Batch, Origin, Reader
from forensics.records import LogRecord, Record

__all__ = ["READERS", "LogFiles"]


class LogFiles:
    """Every log that has one record a line (and lines that continue it)."""

    name = "log"
    record: type[Record] = LogRecord
    reference = "the framings in forensics/loaders/lines, each with its own reference"

    @property
    def yields(self) -> tuple[type[Record], ...]:
        """Log records, and every record that a message format reads from them."""
        return (LogRecord, *MessageReader().yields)

    def likeness(self, head: bytes, name: str) -> float:
        """Share of the first lines that some framing claims; see `Reader`."""
        return likeness(head)

    def batches(
        self, stream: Stream, origin: Origin, *, records: Collection[type[Record]] | None = None
    ) -> Iterator[Batch]:
        """Read the whole stream; see `Reader`."""
        leaves = None if records is None else [record for record in records if record is not LogRecord]
        messages = MessageReader(leaves) if leaves is None or leaves else None
        for batch in batches(stream, origin):
            frame = batch.rows[LogRecord]
            if messages is None or not frame.height:
                yield batch
                continue
            yield Batch({LogRecord: frame, **messages.leaves(frame)}, batch.stretches, batch.losses, batch.facts)


READERS: tuple[Reader, ...] = (LogFiles(),)
