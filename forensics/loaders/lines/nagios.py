"""Nagios and its relatives: seconds since 1970 in brackets."""

from forensics.loaders._line_format import LineFormat, Sample

FORMATS = (
    LineFormat(
        name="nagios",
        leads="[",
        inside=False,
        reference="NagiosEnterprises/nagioscore base/logging.c, write_to_log(); Icinga 1, Naemon, icinga2 CompatLogger",
        pattern=r"^\[(?P<epoch_s>\d{9,10})\]\x20(?P<message>(?s:.*))$",
        samples=(
            Sample(
                "[1360892418] SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;text",
                {
                    "ts": "2013-02-15 01:40:18+00:00",
                    "zone_basis": "stated",
                    "message": "SERVICE ALERT: cc12;nova-compute;CRITICAL;HARD;3;text",
                },
            ),
        ),
    ),
)
