"""Syslog of Cisco IOS and IOS XR: a sequence number, a stamp that may be marked as unsynchronised, a mnemonic."""

from forensics.loaders._line_format import LineFormat, Sample

_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_STAMP = (
    rf"[*.]?{_MONTH}\x20{{1,2}}(?P<day>\d{{1,2}})(?:\x20(?P<year>\d{{4}}))?\x20(?P<time>\d\d:\d\d:\d\d)"
    r"(?:\.(?P<fraction>\d{1,6}))?(?:\x20(?P<zone>[A-Z]{1,5}))?"
)
_PRI = r"(?:<(?P<pri>\d{1,3})>)?"

FORMATS = (
    LineFormat(
        name="cisco-ios",
        inside=False,
        reference="Cisco IOS, service timestamps and sequence-numbers; a star marks a clock that was never set",
        pattern=rf"^{_PRI}(?:\d+:\x20)?(?:(?P<host>[^\x20:*%]+):\x20)?{_STAMP}:\x20(?P<message>%(?s:.*))$",
        samples=(
            Sample(
                "<189>521: router1: *Nov 14 08:30:56.699: %LINK-5-CHANGED: Interface GigabitEthernet2, changed state",
                {"host": "router1", "severity": "NOTICE", "ts": "2017-11-14 08:30:56.699+00:00"},
                2017,
            ),
        ),
    ),
    LineFormat(
        name="cisco-iosxr",
        inside=False,
        reference="Cisco IOS XR system logging: node, stamp, process[pid]",
        pattern=rf"^{_PRI}(?:\d+:\x20)?(?:(?P<host>[^\x20:*%]+)\x20)?\w+/\d+/\w+/\w+:{_STAMP}\x20?:\x20"
        r"(?P<program>[^\x20\[:]+)\[(?P<pid>\d+)\]:\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "<187>94307: gw2.acy1 LC/0/2/CPU0:Jul  7 20:16:14.834 : ifmgr[214]: %PKT_INFRA-LINK-3-UPDOWN : Down",
                {"host": "gw2.acy1", "program": "ifmgr", "pid": 214, "severity": "ERR"},
            ),
        ),
    ),
)
