"""A nova.conf with references, a wrapped list, a repeated option, defaults in comments, secrets and a torn line."""

import sys
from pathlib import Path

LINES = """\
[DEFAULT]
# How long the base files of images are kept
#remove_unused_base_images=true
state_path = /var/lib/nova
instances-path = $state_path/instances
vlan_interface=vlan20
my_ip = 192.0.2.12
metadata_host = ${my_ip}
scheduler_default_filters = RetryFilter,
    AvailabilityZoneFilter
notification_driver = one
notification_driver = two
sql_connection = mysql://nova:s3cret@db1/nova

torn li
[keystone_authtoken]
admin_password = s3cret
auth_host = $my_ip
"""
(Path(sys.argv[1]) / "input.conf").write_text(LINES)
