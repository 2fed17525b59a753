"""Base files as nova's image cache speaks of them (formats.md 5.1 to 5.8, Appendix A1, Appendix C 10)."""

import hashlib
from collections import Counter

import polars as pl
import pytest

from forensics.loaders._message_format import leaves
from forensics.records import BaseFileEvent
from tests.loaders.messages._logs import rows_in, rows_of
from tests.loaders.messages.test_samples import log_records

BASE = "/var/lib/nova/instances/_base"
SHA = "7b4783508212f5d242cbf9ff56fb8d33b4ce6166"
IMAGE = "0673dd71-34c5-4fbb-86c4-40623fbe45b4"
LOGGER = "nova.virt.libvirt.imagecache"


def said(*messages: str, **columns: object) -> pl.DataFrame:
    """Rows of what the image cache says."""
    found = leaves(log_records(*messages, **({"logger": LOGGER} | columns)))
    return BaseFileEvent.validate(found.get(BaseFileEvent, BaseFileEvent.empty()))


def test_the_public_sample() -> None:
    rows = rows_in(BaseFileEvent, "logs/openstack/loghub/OpenStack_2k.log")
    counts = {
        "checking": 82,
        "in_use": 82,
        "active": 82,
        "unknown": 30,
        "removable": 30,
        "removing": 21,
        "too_young": 9,
    }
    assert Counter(rows["action"]) == Counter(counts)
    assert rows.height == 336
    assert set(rows["image_hash"]) == {"a489c868f0c37da93b76227c91bb03908ac0e742"}
    assert rows["cut"].null_count() == rows.height
    named = rows.filter(pl.col("action").is_in(["checking", "in_use"]))
    assert set(named["image"]) == {IMAGE}
    assert hashlib.sha1(IMAGE.encode()).hexdigest() == rows["image_hash"][0]
    assert set(named.filter(pl.col("action") == "in_use")["local"]) == {1}
    assert set(rows["request_id"].str.slice(0, 4)) == {"req-"}
    # what 5.5 tells apart: unknown to the database, then removed
    assert rows.filter(pl.col("action") == "unknown")["image"].null_count() == 30


def test_the_line_of_the_tale() -> None:
    """Appendix A1, with the prefix of grep, the outer stamp, and the inner one that has the year."""
    line = (
        "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03 2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache [-] "
        f"Removing base file: {BASE}/{SHA}_10\n"
    )
    (row,) = rows_of(BaseFileEvent, line, "notes.txt").to_dicts()
    assert str(row["ts"]) == "2012-12-19 12:10:59+00:00"
    assert (row["host"], row["action"], row["pid"], row["request_id"]) == ("dair-ua-c03", "removing", None, None)
    assert (row["base_file"], row["image_hash"], row["size_gb"]) == (f"{BASE}/{SHA}_10", SHA, 10)


def test_the_line_of_the_tale_as_a_book_prints_it() -> None:
    """formats.md 0.4: wrapped behind the host, the logger and the colon."""
    text = (
        "dair-ua-c03/nova.log:Dec 19 12:10:59 dair-ua-c03\n2012-12-19 12:10:59 INFO nova.virt.libvirt.imagecache\n"
        f"[-] Removing base file:\n{BASE}/{SHA}_10\n"
    )
    rows = rows_of(BaseFileEvent, text, "tales.txt")
    assert rows.select("action", "base_file").rows() == [("removing", f"{BASE}/{SHA}_10")]
    assert str(rows["ts"][0]) == "2012-12-19 12:10:59+00:00"


@pytest.mark.parametrize(
    ("stamp", "kind"),
    [
        ("2012-04-19 12:10:59 INFO {} [-] ", "base file"),  # Essex
        ("2013-02-19 12:10:59 4711 INFO {} [-] ", "base file"),  # Folsom
        ("2014-12-19 12:10:59.123 4711 INFO {} [-] ", "base file"),  # Juno
        (
            "2016-12-19 12:10:59.123 4711 INFO {} [req-addc1839-2ed5-4778-b57e-5854eb7b8b09 - - - - -] ",
            "base or swap file",
        ),
        (
            "2022-12-19 12:10:59.123 4711 INFO {} [None req-addc1839-2ed5-4778-b57e-5854eb7b8b09 - - - - - -] ",
            "base, swap or ephemeral file",
        ),
    ],
)
def test_a_removal_in_the_words_of_each_release(stamp: str, kind: str) -> None:
    """Appendix C item 10: all generations of the removal line, in the framing of their time."""
    lines = (f"Removing {kind}: {BASE}/{SHA}", f"{kind.capitalize()} too young to remove: {BASE}/{SHA}_20")
    rows = rows_of(BaseFileEvent, "".join(f"{stamp.format(LOGGER)}{line}\n" for line in lines))
    assert rows["action"].to_list() == ["removing", "too_young"]
    assert rows["base_file"].to_list() == [f"{BASE}/{SHA}", f"{BASE}/{SHA}_20"]
    assert rows["size_gb"].to_list() == [None, 20]


def test_two_nodes_remove_one_file() -> None:
    """5.8: each node says it; the slower one fails, or finds nothing to remove."""
    rows = said(
        f"Removing base file: {BASE}/{SHA}",
        f"Removing base file: {BASE}/{SHA}",
        f"Failed to remove {BASE}/{SHA}, error was [Errno 2] No such file or directory: '{BASE}/{SHA}'",
        f"Cannot remove {BASE}/{SHA}, it does not exist",
    )
    assert rows["action"].to_list() == ["removing", "removing", "remove_failed", "gone"]
    assert rows["error"][2] == f"[Errno 2] No such file or directory: '{BASE}/{SHA}'"
    assert rows["position"].to_list() == [1, 2, 3, 4]


def test_a_list_gives_a_row_a_file() -> None:
    one, two = f"{BASE}/{SHA}", f"{BASE}/{SHA}_20"
    rows = said(f"Active base files: {one} {two}", f"Removable base files: {two}", f"Corrupt base files: {one}")
    assert rows["action"].to_list() == ["active", "active", "removable", "corrupt"]
    assert rows["base_file"].to_list() == [one, two, two, one]
    assert rows["position"].to_list() == [1, 1, 2, 3]
    assert rows["size_gb"].to_list() == [None, 20, 20, None]
    assert rows["cut"].null_count() == 4


@pytest.mark.parametrize("instances", ["/srv/nova", "/mnt/my cloud/a  b"])
def test_other_folders_and_blanks_in_them(instances: str) -> None:
    """5.8: paths are not escaped."""
    paths = [f"{instances}/cache/{SHA}", f"{instances}/cache/{SHA}_10"]
    assert said(f"Removable base files: {' '.join(paths)}")["base_file"].to_list() == paths
    assert said(f"Removing base file: {paths[1]}").select("base_file", "size_gb").row(0) == (paths[1], 10)
    assert said(f"{IMAGE} ({paths[0]}): checking")["base_file"].to_list() == paths[:1]


def test_a_list_that_syslog_cut() -> None:
    """5.8: the last path of a line that ends early is marked, and its half name is no hash."""
    paths = [f"{BASE}/{hashlib.sha1(bytes([n])).hexdigest()}_{n + 10}" for n in range(40)]
    sent = f"<142>2012-12-19 12:10:59 INFO {LOGGER} [-] Active base files: {' '.join(paths)}"[:2048]
    line = f"Dec 19 12:10:59 dair-ua-c03 {sent.removeprefix('<142>')}\n"
    rows = rows_of(BaseFileEvent, line)
    count = rows.height
    assert count > 20
    assert rows["base_file"].to_list()[:-1] == paths[: count - 1]
    assert rows["cut"].to_list() == [None] * (count - 1) + ["cut"]
    assert paths[count - 1].startswith(rows["base_file"][-1])
    assert rows["size_gb"][-1] is None


def test_a_whole_name_at_the_end_of_a_cut_line_is_doubted_in_syslog_alone() -> None:
    paths = " ".join(f"{BASE}/{SHA}" for _ in range(28))
    message = f"Removable base files: {paths}"
    in_syslog = said(message, framing="syslog-traditional+oslo-essex", length_bytes=2070)
    assert in_syslog["cut"].to_list() == [None] * 27 + ["cut"]
    assert in_syslog["image_hash"][-1] == SHA
    assert said(message, framing="oslo-essex", length_bytes=2070)["cut"].null_count() == 28
    assert said(message, framing="syslog-traditional+oslo-essex", length_bytes=1900)["cut"].null_count() == 28


@pytest.mark.parametrize("end", ["", "/var", f"{BASE}/", f"{BASE}/7b47", f"{BASE}/{SHA[:-1]}"])
def test_a_path_that_ends_early(end: str) -> None:
    rows = said(f"Active base files: {BASE}/{SHA} {end}")
    expected = [(f"{BASE}/{SHA}", SHA, None)] + [(end, None, "cut")] * bool(end)
    assert rows.select("base_file", "image_hash", "cut").rows() == expected


@pytest.mark.parametrize(
    ("name", "image_hash", "size_gb"),
    [
        (SHA, SHA, None),
        (f"{SHA}_10", SHA, 10),
        (f"{SHA}_sm", SHA, None),
        (f"{SHA}.part", SHA, None),
        (f"{SHA}.converted", SHA, None),
        (f"{SHA}_10.part", SHA, 10),
        ("ephemeral_0_20_None", None, None),
        ("ephemeral_20_default", None, None),
        ("swap_1024", None, None),
        (IMAGE, None, None),  # a kernel, to Grizzly
        (SHA.upper(), None, None),
        (f"{SHA}_99999999999", SHA, None),  # does not fit a count of GiB
    ],
)
def test_names_of_base_files(name: str, image_hash: str | None, size_gb: int | None) -> None:
    """5.3."""
    rows = said(f"Base, swap or ephemeral file too young to remove: {BASE}/{name}")
    assert rows.select("base_file", "image_hash", "size_gb").row(0) == (f"{BASE}/{name}", image_hash, size_gb)


def test_which_image_a_file_was_made_of() -> None:
    """5.1: the debug line that has both; nothing is computed."""
    rows = said(f"Image id {IMAGE} yields fingerprint {SHA}", f"{IMAGE} ({BASE}/{SHA}): checking")
    assert rows.select("image", "image_hash", "base_file").rows() == [
        (IMAGE, SHA, None),
        (IMAGE, SHA, f"{BASE}/{SHA}"),
    ]


def test_counts_of_instances_in_both_wordings() -> None:
    """5.5: before Grizzly, instances on other nodes are counted and do not protect the file."""
    rows = said(
        f"{IMAGE} ({BASE}/{SHA}): in use on (3 on other nodes)",
        f"{IMAGE} ({BASE}/{SHA}): image is not in use",
        f"image {IMAGE} at ({BASE}/{SHA}): in use: on this node 0 local, 3 on other nodes sharing this "
        "instance storage",
    )
    assert rows.select("action", "local", "remote").rows() == [
        ("in_use", None, 3),
        ("not_in_use", None, None),
        ("in_use", 0, 3),
    ]


def test_an_absent_base_file() -> None:
    """5.1: the warning lists the instances; a file that is not there is `None`."""
    rows = said(
        f"image {IMAGE} at (None): warning -- an absent base file is in use! instances: instance-00000001 "
        "instance-00000e05",
        f"{IMAGE} (): warning -- an absent base file is in use! instances: ",
    )
    assert rows["action"].to_list() == ["absent", "absent"]
    assert rows["base_file"].null_count() == 2
    assert rows["image"].to_list() == [IMAGE, IMAGE]
    assert rows["instances"].to_list() == [["instance-00000001", "instance-00000e05"], []]


@pytest.mark.parametrize("program", [None, "nova-compute", "nova_compute", "2012-12-19"])
def test_lines_without_a_logger(program: str | None) -> None:
    rows = said(f"Removing base file: {BASE}/{SHA}", logger=None, program=program)
    assert rows["action"].to_list() == ["removing"]
    assert said(f"{IMAGE} ({BASE}/{SHA}): checking", logger=None, program=program)["image"].to_list() == [IMAGE]


def test_lines_with_the_head_left_in_the_message() -> None:
    assert said(f"INFO {LOGGER} [-] Removing base file: {BASE}/{SHA}", logger=None)["action"].to_list() == ["removing"]


@pytest.mark.parametrize(
    "message",
    [
        "Verify base images",
        "Verification complete",
        f"Skipping verification, no base directory at {BASE}",
        "instance-00000e05 is a valid instance name",
        "instance-00000e05 has a disk file",
        "Instance instance-00000e05 is backed by None",
        "Removing base file: ",
        "Active base files: ",
        f"Would be removing base file: {BASE}/{SHA}",
    ],
)
def test_lines_that_tell_of_no_file(message: str) -> None:
    assert said(message).is_empty()


@pytest.mark.parametrize("program", ["cleanup", "dnsmasq", "glance-api"])
def test_other_programs_are_left_alone(program: str) -> None:
    assert said(f"Removing base file: {BASE}/{SHA}", logger=None, program=program).is_empty()
    assert said(f"Removing base file: {BASE}/{SHA}", logger="glance.image_cache", program=program).is_empty()
