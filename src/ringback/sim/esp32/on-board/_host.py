"""The wire to the host process that holds flash, clock, watchdog and network. One message asks, one answers.

This file and its neighbours run on MicroPython. They hold no state: a process that is killed takes nothing with it.
"""

import os
import struct

import uctypes

NOTHING, ERASE, WRITE, TICKS, SLEEP, RESET, DEEPSLEEP, WATCHDOG, UNUSED, CAUSE, EPOCH, SET_EPOCH = range(1, 13)
RTC_READ, RTC_WRITE, SET_BOOT, MARK_VALID, BOOT_SLOT, RUNNING_SLOT, TABLE, ENDED, NOTE, FREQ = range(13, 23)
WLAN_CONNECT, WLAN_STATE, WLAN_STOP, DIAL, SEND, RECEIVE, HANG_UP, NTP = range(30, 38)

_FD = 3
_channel = open(_FD, "r+b")
_place = os.getenv("FLASH").split(":")
_flash = memoryview(uctypes.bytearray_at(int(_place[1]), int(_place[2])))
_HEAD = "<BII"
_ANSWER = "<iI"
_FED = 0x80
# Time passes in messages only, so the last answer's time is the time; and whether the watchdog was fed travels with the
# next message.
_now = [0]
_fed = [0]


def _send(op, a, b, data):
    _channel.write(struct.pack(_HEAD, op | _fed[0], a & 0xFFFFFFFF, b & 0xFFFFFFFF) + data)
    _fed[0] = 0


def ask(op, a=0, b=0, data=b""):
    """Send one message; return the host's number. Raises OSError(-number) where it is negative."""
    _send(op, a, b, data)
    value, _now[0] = struct.unpack(_ANSWER, _channel.read(8))
    if value < 0:
        raise OSError(value)
    return value


def ask_bytes(op, a=0, b=0, data=b""):
    """Send one message; return the host's bytes. Raises OSError(-number) where it answers a negative number."""
    size = ask(op, a, b, data)
    return _channel.read(size) if size else b""


def read_flash(at, buffer):
    """Fill the buffer from the flash, which the host maps into this process for reading."""
    buffer[:] = _flash[at : at + len(buffer)]


def ticks():
    """Return the ticks of the last answer."""
    return _now[0]


def feed():
    """Feed the watchdog, with the next message."""
    _fed[0] = _FED


def note(text):
    """Tell the host something that its oracles look at; used by the apps in test firmware, never by the agent."""
    ask(NOTE, 0, 0, text.encode())


ask(TICKS)
