"""What `grep -n` prints of several hosts, with a separator, an empty line and CRLF."""

import sys
from pathlib import Path

LINES = (
    b"cc01/nova.log:17:2014-01-10 09:11:45.072 1297 INFO nova.osapi_compute.wsgi.server "
    b"[req-11111111-2222-3333-4444-555555555555 u1 p1] "
    b'192.0.2.9 "GET /v2/p1/servers HTTP/1.1" status: 200 len: 9 time: 0.1\r\n'
    b"--\n"
    b"cc02/nova.log:3:2014-01-10 09:11:46.001 88 WARNING nova.manager [-] caf\xe9 is late\n"
    b"\n"
)
(Path(sys.argv[1]) / "input.txt").write_bytes(LINES)
