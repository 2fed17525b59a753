"""Syslog of Cisco NX-OS: the year stands first, and a mnemonic follows the name of the switch."""

from forensics.loaders._line_format import DIGITS, LineFormat, Sample

_STAMP = (
    r"(?P<year>\d{4})\x20(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\x20{1,2}(?P<day>\d{1,2})\x20"
    r"(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
)
_PRI = r"(?:<(?P<pri>\d{1,3})>)?"
_SAID = r"(?:%\$\x20VDC-\d+\x20%\$\x20)?(?P<message>%[A-Z](?s:.*))$"
# A name in capitals is a switch's, unless it is that of a zone that people live in.
_ZONE = r"(?P<zone>UTC|GMT|MSK|JST|IST|BST|[ACEHMP][SD]T|[CEW]ES?T|AE[SD]T)"

FORMATS = (
    LineFormat(
        name="nxos",
        leads="<" + DIGITS,
        inside=False,
        reference="Cisco NX-OS system messages, log file and RFC 3164 export; VDC-1 is the virtual device context",
        rank=-1,
        pattern=rf"^{_PRI}{_STAMP}(?:\x20{_ZONE})?(?:\x20(?P<host>[^\x20:%]+))?\x20{_SAID}",
        samples=(
            Sample(
                "<189>2019 Jan 16 04:40:19 switch01 %STP-2-BLOCK_BPDUGUARD: Received BPDU on port Ethernet1/43 with",
                {
                    "host": "switch01",
                    "program": None,
                    "ts": "2019-01-16 04:40:19+00:00",
                    "year_basis": "stated",
                    "message": "%STP-2-BLOCK_BPDUGUARD: Received BPDU on port Ethernet1/43 with",
                },
            ),
            Sample(
                "2013 Feb 15 01:40:18.250 nx1 %$ VDC-1 %$ %ETHPORT-5-IF_UP: Interface Ethernet1/33 is up in mode trunk",
                {
                    "host": "nx1",
                    "ts": "2013-02-15 01:40:18.250+00:00",
                    "message": "%ETHPORT-5-IF_UP: Interface Ethernet1/33 is up in mode trunk",
                },
            ),
            Sample(
                "<163>2024 Jun 30 10:00:00 JST nexus01 %ETH_PORT_CHANNEL-5-FOP_CHANGED: port-channel5: first",
                {"host": "nexus01", "severity": "ERR"},
            ),
            Sample("2024 Jun 30 10:00:00 CORE %ETHPORT-5-IF_UP: Interface Ethernet1/3 is up", {"host": "CORE"}),
            Sample("2024 Jun 30 10:00:00 %ETHPORT-5-IF_UP: Interface Ethernet1/3 is up", {"host": None}),
        ),
    ),
    LineFormat(
        name="nxos-wire",
        reference="Cisco NX-OS system messages as sent, with or without logging origin-id",
        rank=-1,
        pattern=rf"^{_PRI}(?:\d*:\x20)?(?:(?P<host>[^\x20:%]+):\x20)?{_STAMP}(?:\x20(?P<zone>[A-Z]{{1,5}}))?:\x20{_SAID}",
        samples=(
            Sample(
                "<189>: 2020 Jul 29 17:07:29 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down",
                {"host": None, "ts": "2020-07-29 17:07:29+00:00", "zone_basis": "stated", "severity": "NOTICE"},
            ),
            Sample(
                "agw66.ym: 2025 Jan 28 15:13:57.637 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet5/3 is",
                {"host": "agw66.ym", "ts": "2025-01-28 15:13:57.637+00:00"},
            ),
        ),
    ),
)
