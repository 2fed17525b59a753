"""What virsh answers when a domain does not start (formats.md 5.6)."""

import io

import polars as pl
import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.loaders.documents.virsh_errors import READERS
from forensics.records import InstanceEvent

(READER,) = READERS
NAME = "instance-00000e05"
SHA = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
BASE = f"/var/lib/nova/instances/_base/{SHA}_10"
DISK = f"/var/lib/nova/instances/{NAME}/disk"
ACCESS = (
    f"Cannot access backing file '{BASE}' of storage file '{DISK}' (as uid:107, gid:107): No such file or directory"
)
START = f"error: Failed to start domain {NAME}\nerror: {ACCESS}\n"


def read(text: str, **origin: object) -> pl.DataFrame:
    """Rows of a pasted output."""
    told = {"source": "notes.txt", "host": "cc12", "modified_ns": 10**18, "command": f"virsh start {NAME}"} | origin
    batches = list(READER.batches(stream_of(io.BytesIO(text.encode()), "x"), Origin(**told)))  # type: ignore[arg-type]
    found = [batch.rows[InstanceEvent] for batch in batches if InstanceEvent in batch.rows]
    return InstanceEvent.validate(pl.concat(found) if found else InstanceEvent.empty())


@pytest.mark.parametrize("quote", ["", "'"])
def test_a_domain_whose_base_file_is_gone(quote: str) -> None:
    (row,) = read(START.replace(NAME, f"{quote}{NAME}{quote}", 1)).to_dicts()
    assert (row["event"], row["instance_name"], row["host"]) == ("start_failed", NAME, "cc12")
    assert (row["base_file"], row["path"], row["image_hash"]) == (BASE, DISK, SHA)
    assert row["error"] == ACCESS
    assert row["ts"] is None, "the file's own time does not say when the domain failed"


def test_when_it_was_typed() -> None:
    assert read(START, taken_ns=1360892418 * 10**9, taken_basis="command")["ts"].dt.epoch("s").to_list() == [1360892418]


def test_several_of_them() -> None:
    other = (
        f"error: Failed to start domain web\nerror: internal error: qemu: could not open disk image {DISK}: No such\n"
    )
    rows = read(START + "\n" + other + "\n")
    assert rows["instance_name"].to_list() == [NAME, "web"]
    assert rows["position"].to_list() == [1, 4]
    assert rows["path"].to_list() == [DISK, DISK]


def test_a_reason_alone() -> None:
    assert read(f"error: {ACCESS}\n").select("event", "instance_name").rows() == [("missing_file", NAME)]


def test_it_is_picked_in_a_transcript() -> None:
    typed = f"adm@cc12:~$ virsh start {NAME}\n{START}adm@cc12:~$ date\nFri Feb 15 08:40:18 UTC 2013\n"
    reader = pick(typed.encode(), "notes.txt")
    assert reader is not None
    batches = reader.batches(stream_of(io.BytesIO(typed.encode()), "x"), Origin("notes.txt"))
    rows = pl.concat([batch.rows[InstanceEvent] for batch in batches if InstanceEvent in batch.rows])
    assert rows.select("event", "instance_name", "host", "position").rows() == [("start_failed", NAME, "cc12", 2)]


@pytest.mark.parametrize(
    "text", ["error: failed to connect to the hypervisor\n", "error: pathspec 'x' did not match\n", "", "error: \n"]
)
def test_other_errors(text: str) -> None:
    assert READER.likeness(text.encode(), "notes.txt") == 0.0


def test_another_command_s_output() -> None:
    assert READER.likeness(START.encode(), "$ cat notes.txt") == 0.0
    assert READER.likeness(START.encode(), f"$ sudo virsh start {NAME}") == 1.0
