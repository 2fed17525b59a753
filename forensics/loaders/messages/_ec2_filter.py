"""The line of nova's EC2 request filter, which two formats read."""

LOGGER = r"^nova\.api(?:\.ec2)?$"
"""``nova.api`` to Diablo."""
FILTERED = (
    r"^(?P<whole>\d{1,9}|X)\.(?P<micro>\d{1,6}|X)s\x20(?P<clients>\S+)\x20(?P<method>[A-Z]+)\x20(?P<path>.*?)\x20"
    r"(?P<controller>[\w.]+):(?P<action>\w+)\x20(?P<status>\d{3}|None)\x20\[(?P<user_agent>.*)\]\x20.*$"
)
ACTION = 7
"""Which group of `FILTERED` the action is."""
