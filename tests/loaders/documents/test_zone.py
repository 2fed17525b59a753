"""What tells a host's zone, and what does not."""

import pytest

from forensics.clocks import is_zone
from forensics.loaders.documents.zone import zone_of

TIMEDATECTL = """\
               Local time: Fri 2013-02-15 01:40:18 MST
           Universal time: Fri 2013-02-15 08:40:18 UTC
                 RTC time: Fri 2013-02-15 08:40:18
                Time zone: America/Edmonton (MST, -0700)
System clock synchronized: yes
          RTC in local TZ: no
"""


@pytest.mark.parametrize(
    ("text", "name", "zone"),
    [
        ("America/Edmonton\n", "cc12/etc/timezone", "America/Edmonton"),
        ("Etc/UTC\n", "cc12/timezone", "UTC"),
        ("America/Argentina/Salta\r\n", "etc/timezone", "America/Argentina/Salta"),
        (TIMEDATECTL, "cc12/timedatectl.txt", "America/Edmonton"),
        (TIMEDATECTL, "cc12/anything", "America/Edmonton"),
        (TIMEDATECTL.replace("Time zone: America/Edmonton (MST, -0700)", "Timezone: UTC (UTC, +0000)"), "x", "UTC"),
        ("Timezone=Europe/Berlin\nLocalRTC=no\n", "timedatectl_show", "Europe/Berlin"),
        ("$ date\nFri Feb 15 01:40:18 MST 2013\n", "notes.txt", "-07:00"),
        ("adm@cc12:~$ date\nFri Feb  5 01:40:18 CEST 2013\n", "notes.txt", "+02:00"),
        ("[root@cc12 ~]# date\nFri 15 Feb 2013 01:40:18 AM UTC\n", "notes.txt", "UTC"),
        ("Fri, 15 Feb 2013 01:40:18 +0545\n", "cc12/date", "+05:45"),
        ("Fri, 15 Feb 2013 01:40:18 -0330\n", "cc12/date-R.txt", "-03:30"),
        ("$ date +%z\n-0700\n", "notes.txt", "-07:00"),
        ("-0700\n", "cc12/date.txt", "-07:00"),
        ("# date --iso-8601=seconds\n2013-02-15T01:40:18-07:00\n", "notes.txt", "-07:00"),
        (TIMEDATECTL + "$ date +%z\n-0600\n", "notes.txt", "America/Edmonton"),
    ],
)
def test_a_zone_is_told(text: str, name: str, zone: str) -> None:
    assert zone_of(text.encode(), name) == zone
    assert is_zone(zone)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("America/Edmonton\n", "notes.txt"),
        ("-0700\n", "notes.txt"),
        ("Fri Feb 15 01:40:18 MST 2013\n", "nova.log"),
        ("$ date -u\nFri Feb 15 08:40:18 UTC 2013\n", "notes.txt"),
        ("$ date --utc\nFri Feb 15 08:40:18 UTC 2013\n", "date.txt"),
        ("$ cat updates\n2013-02-15T01:40:18-07:00\n", "date.txt"),
        ("Fri Feb 15 01:40:18 CST 2013\n", "cc12/date"),  # China or Chicago
        ("$ date +%z\n-0700\n$ date +%z\n+0100\n", "notes.txt"),  # two hosts in one file
        ("Mars/Olympus\n", "etc/timezone"),
        ("../../etc/passwd\n", "etc/timezone"),
        ("Time zone: n/a (n/a, n/a)\n", "timedatectl"),
        ("$ date +%z\n+9900\n", "notes.txt"),
        ("", "etc/timezone"),
        ("\x00\x00\x00", "etc/timezone"),
        ("\xff\xfe", "date"),
    ],
)
def test_no_zone_is_told(text: str, name: str) -> None:
    assert zone_of(text.encode("latin-1"), name) is None


def test_only_the_head_is_looked_at_and_long_lines_cost_nothing() -> None:
    assert zone_of(b"x" * 200_000 + b"\nTime zone: Europe/Berlin\n", "timedatectl") is None
    assert zone_of((b"a@b" + b"c" * 30_000 + b"\n") * 2, "date") is None
    assert zone_of(b"a@" * 30_000, "date") is None
    assert zone_of(b"Time zone: A" + b" " * 60_000 + b"x", "timedatectl") is None
