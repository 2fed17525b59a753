"""What a line says only by what it wraps or is wrapped in: the host in a path before it, the year of an inner stamp."""

import io

import polars as pl

import forensics


def records(*lines: str) -> pl.DataFrame:
    return forensics.scan_logs(io.BytesIO("".join(f"{line}\n" for line in lines).encode())).collect()


def test_a_path_in_front_of_a_line_names_its_host() -> None:
    found = records(
        "cc01/nova.log:17:2014-01-10 09:11:45.072 1297 INFO nova.manager [-] a",
        "cc01/nova.log-18-  continued",
        "cc02/nova.log:3:2014-01-10 09:11:46.001 88 INFO nova.manager [-] b",
        "nova.log:3:2014-01-10 09:11:46.001 88 INFO nova.manager [-] c",
        "cc03/syslog:9:Jan 10 09:11:47 web-1 kernel: [1.2] d",
        "2014-01-10 09:11:48.001 88 INFO nova.manager [-] e",
    )
    assert found["host"].to_list() == ["cc01", "cc02", None, "web-1", None]
    assert found["message"].to_list()[0] == "a\n  continued"


def test_the_year_of_a_double_stamp_is_told_by_the_inner_one() -> None:
    found = records(
        "Mar  3 08:10:59 cc03 2013-03-03 08:10:59 INFO nova.virt.libvirt.imagecache [-] a",
        "Mar  3 08:11:05 cc03 kernel: [1.2] b",
        "2013-03-03 08:11:06.001 88 INFO nova.manager [-] c",
        "2013-03-03T08:11:07.000001+00:00 cc03 kernel: [1.2] d",
    )
    assert found["year_basis"].to_list() == ["inner", "neighbour", "stated", "stated"]
