"""Zstandard and LZ4 frames, fed to their decoders block by block: no step grows, and no octet before damage is lost."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from forensics.evidence._members import Gap, Input, Member

if TYPE_CHECKING:
    import zstandard

_WINDOW_BYTES = 1 << 27
"""What ``zstd -d`` accepts without ``--long``: a frame may ask for terabytes."""
_ZSTD_BLOCK_BYTES = 1 << 17  # RFC 8878 section 3.1.1.2.4


class Zstandard:
    """RFC 8878: frames of blocks, and frames to skip."""

    name = "zstd"
    magic = b"\x28\xb5\x2f\xfd"
    suffixes = (".zst", ".zstd")

    def __init__(self) -> None:
        self._decompressor: zstandard.ZstdDecompressor | None = None

    def likely(self, head: bytes) -> bool:
        """Magic number, and a frame header without its reserved bit (section 3.1.1.1.1)."""
        return head.startswith(self.magic) and len(head) > 5 and not head[4] & 0x08

    def member(self, source: Input) -> Member:
        """Decode one frame."""
        import zstandard  # here and below: only those who have such files wait for it

        start = source.offset
        cut = Gap(f"cut off: the file ends inside the zstd frame at octet {start}")
        head = source.ahead(18)
        if len(head) < 6:
            source.skip(len(head))
            yield cut
            return False
        descriptor = head[4]
        single = descriptor & 0x20
        length = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
        length += ((1 if single else 0), 2, 4, 8)[descriptor >> 6]
        if self._decompressor is None:
            self._decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        decompressor = self._decompressor.decompressobj()
        step = length
        last = False
        while True:
            data = source.ahead(step)
            try:
                piece = decompressor.decompress(data)
            except zstandard.ZstdError:
                return False
            source.skip(len(data))
            if piece:
                yield piece
            if len(data) < step:
                yield cut
                return False
            if last:
                return True
            header = source.ahead(3)
            if len(header) < 3:
                source.skip(3)
                yield cut
                return False
            value = int.from_bytes(header, "little")
            last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
            if kind == 3 or size > _ZSTD_BLOCK_BYTES:
                return False
            step = 3 + (1 if kind == 1 else size)  # 1: one octet, repeated
            if last:
                step += 4 if descriptor & 4 else 0  # content checksum


class Lz4:
    """LZ4 frame format 1.6.1: frames of blocks of up to 4 MiB."""

    name = "lz4"
    magic = b"\x04\x22\x4d\x18"
    suffixes = (".lz4",)

    def likely(self, head: bytes) -> bool:
        """Magic number and the version and reserved bits of the descriptor."""
        return head.startswith(self.magic) and len(head) > 6 and head[4] >> 6 == 1 and not head[4] & 2 | head[5] & 0x8F

    def member(self, source: Input) -> Member:
        """Decode one frame."""
        import lz4.frame

        start = source.offset
        cut = Gap(f"cut off: the file ends inside the lz4 frame at octet {start}")
        head = source.ahead(6)
        if len(head) < 6:
            source.skip(len(head))
            yield cut
            return False
        flags = head[4]
        limit = 1 << (8 + 2 * (head[5] >> 4 & 7))  # 4: 64 KiB ... 7: 4 MiB
        step = 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
        decompressor = lz4.frame.LZ4FrameDecompressor()
        while True:
            data = source.ahead(step)
            try:
                piece = decompressor.decompress(data)
            except RuntimeError:
                return False
            source.skip(len(data))
            if piece:
                yield piece
            if decompressor.eof:
                return True
            header = source.ahead(4)
            if len(data) < step or len(header) < 4:
                source.skip(4)
                yield cut
                return False
            size: int = struct.unpack("<I", header)[0] & 0x7FFFFFFF  # the highest bit says that it is stored
            if size > limit:
                return False
            step = 4 + size + (4 if flags & (16 if size else 4) else 0)  # checksum of the block, or of all
