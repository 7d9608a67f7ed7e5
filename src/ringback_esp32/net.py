"""Wi-Fi and HTTPS: one connection at a time, bounded buffers, every wait bounded and the watchdog fed in it.

- The server's certificate is checked against the CA that was provisioned, and its host name; the bundled `requests`
  accepts any certificate and is not used. Plain http is possible only where the address was provisioned so.
- A board whose clock stands at 2000 knows no time to check a certificate's dates against: it first takes the newest
  time it has proof of, the issue date of its last verified desired state.

Source: RFC 9112 (HTTP/1.1), RFC 9110 section 14 (ranges).
"""

import gc
import socket
import time

import network

from ringback_esp32 import board, errors
from ringback_esp32.errors import PortError

CONNECT_S = 10
ANSWER_S = 15
WIFI_MS = 15000
HEAD_MAX = 2048
BODY_MAX = 16384
EPOCH_2000_MS = 946684800000
# Nothing was built before this: a clock that says less is wrong.
BUILT_MS = 1760000000000

_station = None


def utc_ms():
    """Return the time of day, 0 where the clock is not set."""
    now = time.time() * 1000 + EPOCH_2000_MS
    return now if now >= BUILT_MS else 0


def set_clock(utc):
    """Take a time of day that was proven, if the clock says less."""
    if utc > utc_ms():
        import machine

        parts = time.gmtime(utc // 1000 - EPOCH_2000_MS // 1000)
        machine.RTC().datetime((parts[0], parts[1], parts[2], parts[6], parts[3], parts[4], parts[5], 0))


def join(wifi):
    """Be in the Wi-Fi. Raises PortError after WIFI_MS."""
    global _station
    if _station is None:
        _station = network.WLAN(network.STA_IF)
        _station.active(True)
    if _station.isconnected():
        return
    if wifi:
        _station.connect(wifi[0], wifi[1])
    for _ in range(WIFI_MS // 250):
        if _station.isconnected():
            return
        board.feed()
        time.sleep_ms(250)
    _station.disconnect()
    raise PortError(errors.NO_WIFI, "no Wi-Fi after %d ms" % WIFI_MS, True)


class Answer:
    """One HTTP answer. `left`: bytes of the body that are still to be read, -1 for unknown."""

    def __init__(self, stream, raw, status, headers):
        self.stream = stream
        self.raw = raw
        self.status = status
        self.headers = headers
        size = headers.get("content-length", "")
        self.left = int(size) if size.isdigit() else -1

    def readinto(self, buffer):
        """Fill the buffer wholly. Raises PortError when the body ends before."""
        view = memoryview(buffer)
        done = 0
        while done < len(view):
            count = self.stream.readinto(view[done:])
            if not count:
                raise PortError(errors.NO_ANSWER, "the answer ended %d bytes early" % (len(view) - done), True)
            done += count
            board.feed()

    def body(self, limit):
        """Return the whole body. Raises PortError where it has no length or is larger than the limit."""
        if self.status == 204 or self.left == 0:
            return b""
        if not 0 < self.left <= limit:
            raise PortError(errors.TOO_LARGE, "an answer of %d bytes, at most %d are read" % (self.left, limit), True)
        body = bytearray(self.left)
        self.readinto(body)
        return bytes(body)

    def close(self):
        self.stream.close()
        self.raw.close()


class Server:
    """The way to one server.

    Args:
        ident: provisioned: "server" (URL), "wifi" ([ssid, key] or None), "ca" (DER in base64 or ""), "token".
    """

    def __init__(self, ident):
        self.wifi = ident.get("wifi")
        self.token = ident.get("token", "")
        self.ca = ident.get("ca", "")
        self.host, self.port, self.is_tls = _address(ident["server"])

    def request(self, method, path, body=None, start=None):
        """Return an Answer whose head was read. Raises PortError."""
        join(self.wifi)
        gc.collect()
        raw = socket.socket()
        stream = raw
        try:
            raw.settimeout(CONNECT_S)
            raw.connect(socket.getaddrinfo(self.host, self.port)[0][-1])
            raw.settimeout(ANSWER_S)
            board.feed()
            stream = self._secure(raw) if self.is_tls else raw
            self._send(stream, method, path, [body, start])
            return _answer(stream, raw)
        except (OSError, ValueError, MemoryError) as error:
            _shut(stream, raw)
            raise PortError(errors.NO_ANSWER, "%s %s: %s" % (method, self.host, str(error)[:80]), True)
        except PortError:
            _shut(stream, raw)
            raise

    def _secure(self, raw):
        import binascii
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=binascii.a2b_base64(self.ca))
        return context.wrap_socket(raw, server_hostname=self.host)

    def _send(self, stream, method, path, extra):
        body, start = extra
        head = "%s %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\n" % (method, path, self.host, self.port)
        if self.token:
            head += "Authorization: Bearer " + self.token + "\r\n"
        if start:
            head += "Range: bytes=%d-\r\n" % start
        if body is not None:
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        stream.write((head + "\r\n").encode())
        if body is not None:
            stream.write(body)
        board.feed()

    def check_in(self, body):
        """Return (status, body, ms until the next one or 0). Raises PortError."""
        answer = self.request("POST", "/d/1/checkin", body)
        try:
            pause = _ms(answer.headers.get("ringback-next-s", "")) or _ms(answer.headers.get("retry-after", ""))
            return answer.status, answer.body(BODY_MAX), pause
        finally:
            answer.close()

    def download(self, sha, start, size):
        """Return an open answer with exactly the bytes from `start` on. Raises PortError."""
        answer = self.request("GET", "/a/1/sha256/" + sha, None, start)
        if answer.status != (206 if start else 200):
            answer.close()
            raise PortError(errors.REFUSED, "status %d for %s" % (answer.status, sha[:16]), answer.status != 404)
        found = answer.headers.get("content-range", "")
        if answer.left != size - start or (start and found != "bytes %d-%d/%d" % (start, size - 1, size)):
            answer.close()
            raise PortError(errors.WRONG_RANGE, "%d bytes, %s; from %d of %d" % (answer.left, found, start, size), True)
        return answer


def _address(url):
    is_tls = url.startswith("https://")
    place = url.split("://")[1].split("/")[0]
    host, _, port = place.partition(":")
    return host, int(port or (443 if is_tls else 80)), is_tls


def _answer(stream, raw):
    first = stream.readline()
    parts = first.decode().split(" ")
    if not first.startswith(b"HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
        raise OSError("no HTTP")
    headers = {}
    size = len(first)
    while True:
        line = stream.readline()
        size += len(line)
        if size > HEAD_MAX or not line:
            raise OSError("no end of the head in %d bytes" % size)
        name, _, value = line.decode().strip().partition(":")
        if not name:
            return Answer(stream, raw, int(parts[1]), headers)
        headers[name.lower()] = value.strip()


def _shut(stream, raw):
    for each in (stream, raw):
        try:
            each.close()
        except OSError:
            pass


def _ms(text):
    """Return ms of decimal seconds, 0 where it is no number."""
    whole, _, part = text.partition(".")
    if not whole.isdigit() or (part and not part.isdigit()):
        return 0
    return int(whole) * 1000 + int((part + "000")[:3])
