"""An interactive session over TCP, small enough to read: `session.py serve` and `session.py talk ADDRESS COMMAND…`.

It stands where ssh stood: a keystroke's worth of octets each way, a command's output in one piece. `talk` types a
command a character at a time, as a terminal does, waits for the prompt, and gives up when it has not come.
"""

import socket
import subprocess
import sys
import threading
import time

PORT, PROMPT, PATIENCE_S = 22, b"$ ", 14.0


def serve() -> None:
    """Give whoever connects a prompt, run each line, send what it printed."""
    listener = socket.create_server(("", PORT))
    while True:
        threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()


def attend(peer: socket.socket) -> None:
    """One session: echo each character, run each line."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(b"Welcome to web-1\r\n" + PROMPT)
    line = b""
    while octet := peer.recv(1):
        peer.sendall(octet)
        line += octet
        if octet == b"\n":
            printed = subprocess.run(["sh", "-c", line.decode()], capture_output=True, check=False).stdout
            peer.sendall(printed + PROMPT)
            line = b""


def talk(address: str, commands: list[str]) -> None:
    """Type the commands; a session whose prompt does not come back is left."""
    with socket.create_connection((address, PORT), timeout=PATIENCE_S) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard(peer)
        for command in commands:
            time.sleep(1)
            for character in command:
                peer.sendall(character.encode())
                time.sleep(0.08)
            peer.sendall(b"\n")
            if not heard(peer):
                return


def heard(peer: socket.socket) -> bool:
    """Read to the next prompt; false when patience or the session ends first."""
    text, end = b"", time.monotonic() + PATIENCE_S
    while not text.endswith(PROMPT):
        peer.settimeout(max(end - time.monotonic(), 0.01))
        try:
            octets = peer.recv(65536)
        except TimeoutError:
            return False
        if not octets:
            return False
        text += octets
    return True


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else talk(sys.argv[2], sys.argv[3:])
