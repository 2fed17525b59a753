"""Syslog of Cisco IOS and IOS XR: a sequence number, a stamp that may be marked as unsynchronised, a mnemonic."""

from forensics.loaders._line_format import LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,6}))?(?:\x20(?P<zone>[A-Z]{1,5}))?"
_STAMP = rf"[*.]?{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})(?:\x20(?P<year>\d{{4}}))?\x20{_TIME}"
_PRI = r"(?:<(?P<pri>\d{1,3})>)?"
# The counter of the transport, the switch's name (which is no number), and the switch's own sequence number.
_FRONT = rf"^{_PRI}(?:\d*:\x20){{0,2}}(?:(?P<host>[^\x20:*%]*[^\x20:*%\d][^\x20:*%]*):\x20)?(?:\d+:\x20)?"
_MNEMONIC = r"(?P<message>%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+\x20?:\x20(?s:.*))$"

FORMATS = (
    LineFormat(
        name="cisco-ios",
        reference="Cisco IOS, service timestamps and sequence-numbers; a star marks a clock that was never set",
        pattern=rf"{_FRONT}{_STAMP}:\x20(?P<message>%(?s:.*))$",
        samples=(
            Sample(
                "<189>521: router1: *Nov 14 08:30:56.699: %LINK-5-CHANGED: Interface GigabitEthernet2, changed state",
                {"host": "router1", "severity": "NOTICE", "ts": "2017-11-14 08:30:56.699+00:00"},
                2017,
            ),
            Sample(
                "022702: Jun 19 03:02:32: %LINK-3-UPDOWN: Interface GigabitEthernet2/0/3, changed state to down",
                {
                    "host": None,
                    "program": None,
                    "message": "%LINK-3-UPDOWN: Interface GigabitEthernet2/0/3, changed state to down",
                },
            ),
            Sample(
                "<189>29: sw1: 000027: .May 31 15:25:53.743 MEST: %LINK-5-CHANGED: Interface Gi2, changed state to up",
                {"host": "sw1", "ts": "2018-05-31 15:25:53.743+00:00"},
                2018,
            ),
            Sample(
                "*Apr  1 2020 10:00:00.123 UTC: %PM-4-ERR_DISABLE: bpduguard error detected on Gi0/3, putting Gi0/3",
                {"ts": "2020-04-01 10:00:00.123+00:00", "year_basis": "stated", "zone_basis": "stated"},
            ),
        ),
    ),
    LineFormat(
        name="cisco-ios-plain",
        inside=False,
        reference="Cisco IOS show logging: debug output has a sequence number and a stamp, but no mnemonic",
        pattern=rf"^{_PRI}\d+:\x20(?:(?P<host>[^\x20:*%]*[^\x20:*%\d][^\x20:*%]*):\x20)?(?:\d+:\x20)?{_STAMP}:\x20"
        r"(?P<message>[^\x20%](?s:.*))$",
        samples=(
            Sample(
                "000048: Dec  2 12:09:21.207: CEF-HWIDB: EDSP0 LES switching vector set to Null",
                {"host": None, "program": None, "message": "CEF-HWIDB: EDSP0 LES switching vector set to Null"},
            ),
        ),
    ),
    LineFormat(
        name="cisco-uptime",
        reference="Cisco IOS, service timestamps log uptime: no instant can be known from it",
        pattern=rf"^{_PRI}(?:\d+:\x20)?(?:(?:\d+:)?\d+:\d\d|\d+[ywd]\d+[wdh]):\x20{_MNEMONIC}",
        samples=(
            Sample(
                "00:00:46: %LINK-3-UPDOWN: Interface Port-channel1, changed state to up",
                {"ts": None, "message": "%LINK-3-UPDOWN: Interface Port-channel1, changed state to up"},
            ),
            Sample(
                "11w0d: %SW_MATM-4-MACFLAP_NOTIF: Host 001c.b14e.3cc3 in vlan 13 is flapping between port Gi0/52 and",
                {"ts": None, "host": None, "program": None},
            ),
            Sample("7:04: %LINK-3-UPDOWN: Interface Gi2/0/3, changed state to up", {"ts": None, "program": None}),
        ),
    ),
    LineFormat(
        name="cisco-bare",
        inside=False,
        reference="Cisco IOS, no service timestamps: consoles and terminals",
        pattern=rf"^{_PRI}(?:\d+:\x20)?{_MNEMONIC}",
        samples=(
            Sample(
                "%SYS-5-CONFIG_I: Configured from console by console",
                {"ts": None, "program": None, "message": "%SYS-5-CONFIG_I: Configured from console by console"},
            ),
            Sample("<189>94: %SYS-5-CONFIG_I: Configured from console by console", {"severity": "NOTICE"}),
        ),
    ),
    LineFormat(
        name="cisco-iosxr",
        reference="Cisco IOS XR system logging: node, stamp, process[pid]",
        pattern=rf"^{_PRI}(?:\d*:\x20){{0,2}}(?:(?P<host>[^\x20:*%]+):?\x20)?\w+/\w+/\w+(?:/\w+)?:(?:(?P<year>\d{{4}})\x20)?"
        rf"[*.]?{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})\x20{_TIME}\x20?:\x20"
        r"(?P<program>[^\x20\[:]+)\[(?P<pid>\d+)\]:?\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "<187>94307: gw2.acy1 LC/0/2/CPU0:Jul  7 20:16:14.834 : ifmgr[214]: %PKT_INFRA-LINK-3-UPDOWN : Down",
                {"host": "gw2.acy1", "program": "ifmgr", "pid": 214, "severity": "ERR"},
            ),
            Sample(
                "RP/0/RSP0/CPU0:2018 Nov 12 10:20:30.123 UTC: ifmgr[214]: %PKT_INFRA-LINK-3-UPDOWN : Interface Te0/1",
                {"host": None, "program": "ifmgr", "ts": "2018-11-12 10:20:30.123+00:00", "year_basis": "stated"},
            ),
        ),
    ),
)
