"""Structured syslog of Junos, whose tag is not part of the text but stands before the parameters."""

from forensics.loaders._line_format import LineFormat, Sample

FORMATS = (
    LineFormat(
        name="junos-structured",
        leads="<",
        inside=False,
        reference="Junos syslog, structured-data (RFC 5424); with brief the text is left out",
        rank=-1,
        pattern=r"""^<(?P<pri>\d{1,3})>1\x20(?P<date>\d{4}-\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)
            (?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:?\d\d)\x20(?P<host>\S+)\x20(?P<program>\S+)\x20
            (?:(?P<pid>\d{1,10})|\S+)\x20(?P<message>[A-Z][A-Z0-9_]+\x20\[junos@2636\.(?s:.*))$""",
        samples=(
            Sample(
                "<28>1 2013-02-15T01:40:18.123-07:00 sw1 mib2d 2424 SNMP_TRAP_LINK_DOWN [junos@2636.1.1.1.2.18 "
                'interface-name="ge-0/0/17"] ifIndex 501, ifOperStatus down(2), ifName ge-0/0/17',
                {
                    "host": "sw1",
                    "program": "mib2d",
                    "pid": 2424,
                    "severity": "WARNING",
                    "ts": "2013-02-15 08:40:18.123+00:00",
                    "message": 'SNMP_TRAP_LINK_DOWN [junos@2636.1.1.1.2.18 interface-name="ge-0/0/17"] ifIndex 501, '
                    "ifOperStatus down(2), ifName ge-0/0/17",
                },
            ),
        ),
    ),
)
