"""Header columns of packets, vectorised: only those that are asked for are decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from forensics.errors import UnknownColumnError
from forensics.loaders.captures import _compiled_engine, _numpy_engine
from forensics.loaders.captures._addresses import AddressBook
from forensics.loaders.captures._block import Block
from forensics.loaders.captures._columns import Columns
from forensics.loaders.captures._kernel import kernel
from forensics.loaders.captures._layers import Decoded
from forensics.loaders.captures._layouts import HEADER_COLUMNS, Array

Engine = Callable[[Block, Array | None, frozenset[str], AddressBook], Decoded]


def engine() -> Engine:
    """The function that decodes headers: compiled where it is installed, see `forensics.kernels`; the same arrays."""
    return _numpy_engine.decode if kernel() is None else _compiled_engine.decode


def decode(
    block: Block, columns: Sequence[str], *, rows: Array | None = None, book: AddressBook | None = None
) -> pl.DataFrame:
    """Decode header columns of `forensics.records.Packet`.

    A header is reported when its fixed part is wholly captured and does not contradict
    itself; otherwise its columns are null and ``decode_status`` says why. Fixed parts are
    14 octets of Ethernet, the whole stack of tags or labels, 20 octets of IPv4 and of TCP
    (what their options hide stays null), 40 of IPv6, 8 of UDP and of ICMP, 12 of SCTP.
    Cutting a packet shorter can therefore turn a value into null, but never into another one.

    Args:
        block: Packets of a capture.
        columns: Names of header columns; nothing else is decoded.
        rows: Numbers of the packets wanted, in rising order; all where None.
        book: Labels of addresses, kept from block to block of one scan by whoever scans.

    Returns:
        One row a packet, in their order; the columns in the order of ``columns``.

    Raises:
        UnknownColumnError: If Packet has no such header column.
    """
    return pl.DataFrame(list(decoded(block, columns, rows, AddressBook() if book is None else book).values()))


def decoded(block: Block, columns: Sequence[str], rows: Array | None, book: AddressBook) -> dict[str, pl.Series]:
    """The same columns by name, for whoever puts others beside them."""
    unknown = [name for name in columns if name not in HEADER_COLUMNS]
    if unknown:
        names = ", ".join(sorted(HEADER_COLUMNS))
        raise UnknownColumnError(f"no header column {', '.join(unknown)}", hint=f"the columns are {names}")
    book.turn()
    return Columns(engine()(block, rows, frozenset(columns), book), book).columns(columns)
