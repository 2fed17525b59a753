"""Syslog of other switches and firewalls: a year behind the day, a unit instead of a host, an event list."""

from forensics.loaders._line_format import DIGITS, MONTHS, LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
_PRI = r"(?:<(?P<pri>\d{1,3})>)?"

FORMATS = (
    LineFormat(
        name="syslog-year",
        leads="<" + MONTHS,
        inside=False,
        reference="Huawei VRP, H3C and Cisco ASA: RFC 3164 with a year between the day and the time",
        rank=-1,
        pattern=rf"^{_PRI}{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})\x20(?P<year>\d{{4}})\x20{_TIME}\x20"
        r"(?P<host>[^\x20:%\[]+)(?:\x20?:)?\x20(?P<tagged>(?s:[^\x20].*))$",
        samples=(
            Sample(
                "Mar 09 2017 10:25:04 MDF-ASA5515X : %ASA-6-305012: Teardown dynamic TCP translation from inside",
                {
                    "host": "MDF-ASA5515X",
                    "program": None,
                    "ts": "2017-03-09 10:25:04+00:00",
                    "year_basis": "stated",
                    "message": "%ASA-6-305012: Teardown dynamic TCP translation from inside",
                },
            ),
            Sample(
                "<189>Nov 29 2025 10:30:45 R1 %%01IFNET/4/LINK_STATE(l)[12]:The line protocol IP on the interface Vl",
                {"host": "R1", "program": None, "severity": "NOTICE", "ts": "2025-11-29 10:30:45+00:00"},
            ),
            Sample("Nov 29 2025 10:30:45 R1 sshd[12]: hello", {"host": "R1", "program": "sshd", "pid": 12}),
        ),
    ),
    LineFormat(
        name="huawei",
        leads="<" + DIGITS,
        reference="Huawei VRP info-center, date with single digits: host, then %%01MODULE/level/mnemonic",
        rank=-1,
        pattern=rf"^{_PRI}(?P<year>\d{{4}})-(?P<month>\d{{1,2}})-(?P<day>\d{{1,2}})\x20{_TIME}(?:\.\d+)?"
        r"(?:\+\d\d:\d\d)?\x20(?P<host>[^\x20%]+)\x20(?P<message>%%(?s:.*))$",
        samples=(
            Sample(
                "<29>2018-7-23 01:00:34.270.1 hw1 %%01IFNET/4/IF_STATE(l)[4997]:Interface Ethernet0/0/8 has turned",
                {
                    "host": "hw1",
                    "program": None,
                    "severity": "NOTICE",
                    "ts": "2018-07-23 01:00:34.270+00:00",
                    "message": "%%01IFNET/4/IF_STATE(l)[4997]:Interface Ethernet0/0/8 has turned",
                },
            ),
        ),
    ),
    LineFormat(
        name="dell-ftos",
        reference="Dell Networking OS 9 (FTOS): the unit that spoke, and no host",
        rank=-1,
        pattern=rf"^{_PRI}{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})(?:\x20(?P<year>\d{{4}}))?\x20{_TIME}(?:\x20[A-Z]{{3,5}})?:?"
        r"\x20%(?P<program>[A-Z0-9]+-[A-Z]:[A-Z0-9]+)\x20(?P<message>%(?s:.*))$",
        samples=(
            Sample(
                "May  8 17:18:57 %STKUNIT1-M:CP %IFMGR-5-OSTATE_DN: Changed interface state to down: Te 1/47",
                {
                    "host": None,
                    "program": "STKUNIT1-M:CP",
                    "message": "%IFMGR-5-OSTATE_DN: Changed interface state to down: Te 1/47",
                },
            ),
        ),
    ),
    LineFormat(
        name="aruba-events",
        leads=DIGITS,
        inside=False,
        reference="ArubaOS-CX show events: no host, the level in brackets",
        pattern=r"^(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>[+-]\d\d:?\d\d)\x20"
        r"(?P<program>[a-z][\w.-]*)\[(?P<pid>\d+)\]:?\x20<(?P<severity>[A-Z]+)>\x20(?P<message>Event\|(?s:.*))$",
        samples=(
            Sample(
                "2025-02-16T21:32:46.525407+0000 hpe-pvstd[9239] <WARN> Event|5004|LOG_WARN|AMM|1/1|Port 1/1/8 is",
                {"host": None, "program": "hpe-pvstd", "pid": 9239, "severity": "WARN"},
            ),
        ),
    ),
)
