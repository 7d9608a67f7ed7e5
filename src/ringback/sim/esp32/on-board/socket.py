"""`socket` over the host's network: TCP streams with timeouts, and the one UDP exchange that asks for the time."""

import errno
import io
import struct

import _host

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
_POLL = 3
_CLOSE = 4
_AHEAD = 1024


def getaddrinfo(host, port, *_):
    """Resolve a name: the host does it when it dials."""
    return [(AF_INET, SOCK_STREAM, 0, host, (host, port))]


class socket(io.IOBase):
    """One stream."""

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, protocol=0):
        self._handle = 0
        self._kind = kind
        self._timeout_ms = 600000
        # What has arrived and was not asked for yet: the network stack of the chip keeps it, too.
        self._ahead = b""

    def settimeout(self, seconds):
        """Wait so long at most."""
        self._timeout_ms = 600000 if seconds is None else int(seconds * 1000)

    def setblocking(self, on):
        """Blocking with a long timeout, or not at all."""
        self._timeout_ms = 600000 if on else 0

    def connect(self, address):
        """Open the stream. Raises OSError."""
        self._handle = _host.ask(_host.DIAL, address[1], self._timeout_ms, address[0].encode())

    def _more(self):
        """Fetch what has arrived; empty at the end of the stream. Raises OSError(ETIMEDOUT)."""
        self._ahead = _host.ask_bytes(_host.RECEIVE, self._handle, _AHEAD, struct.pack("<I", self._timeout_ms))

    def readinto(self, buffer, size=-1):
        """Return how many bytes came, 0 at the end. Raises OSError(ETIMEDOUT)."""
        if not self._ahead:
            self._more()
        wanted = len(buffer) if size < 0 else min(size, len(buffer))
        count = min(wanted, len(self._ahead))
        buffer[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count

    def readline(self):
        """Return bytes up to and with the next line feed, or to the end."""
        line = b""
        while True:
            if not self._ahead:
                self._more()
            end = self._ahead.find(b"\n") + 1
            if end or not self._ahead:
                line, self._ahead = line + self._ahead[:end], self._ahead[end:]
                return line
            line, self._ahead = line + self._ahead, b""

    def recv(self, size):
        """Return up to size bytes."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(buffer)])

    def read(self, size=-1):
        """Return exactly size bytes unless the stream ends."""
        parts = []
        while size != 0:
            part = self.recv(min(size, 4096) if size > 0 else 4096)
            if not part:
                break
            parts.append(part)
            if size > 0:
                size -= len(part)
        return b"".join(parts)

    def write(self, data):
        """Send bytes; return how many."""
        data = bytes(data)
        for start in range(0, len(data), 4096):
            _host.ask(_host.SEND, self._handle, 0, data[start : start + 4096])
        return len(data)

    send = write

    def sendto(self, data, address):
        """Ask a time server."""
        self._handle = _host.ask(_host.NTP, address[1], self._timeout_ms, address[0].encode())
        return len(data)

    def ioctl(self, request, argument):
        """What the TLS layer asks of a stream."""
        if request == _POLL:
            return argument
        if request == _CLOSE:
            self.close()
            return 0
        return -errno.EINVAL

    def close(self):
        """Hang up."""
        if self._handle:
            handle, self._handle = self._handle, 0
            _host.ask(_host.HANG_UP, handle)
