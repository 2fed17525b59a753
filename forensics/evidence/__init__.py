"""A file as evidence: found, opened read-only, decompressed, hashed; and what its name tells."""

from forensics.evidence._archives import archive_kind, archive_parts, open_stream, unfolded
from forensics.evidence._files import EvidenceFile, label_of, name_of, walk
from forensics.evidence._members import PADDING
from forensics.evidence._names import Series, capture_point, host_of, series_of
from forensics.evidence._stream import Digest, Readable, Stream, stream_of

__all__ = [
    "PADDING",
    "Digest",
    "EvidenceFile",
    "Readable",
    "Series",
    "Stream",
    "archive_kind",
    "archive_parts",
    "capture_point",
    "host_of",
    "label_of",
    "name_of",
    "open_stream",
    "series_of",
    "stream_of",
    "unfolded",
    "walk",
]
