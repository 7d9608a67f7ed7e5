"""The wire to the host process that holds flash, clock, watchdog and network. One message asks, one answers.

This file and its neighbours run on MicroPython. They hold no state: a process that is killed takes nothing with it.
"""

import struct

READ, ERASE, WRITE, TICKS, SLEEP, RESET, DEEPSLEEP, WATCHDOG, FEED, CAUSE, EPOCH, SET_EPOCH = range(1, 13)
RTC_READ, RTC_WRITE, SET_BOOT, MARK_VALID, BOOT_SLOT, RUNNING_SLOT, TABLE, ENDED, NOTE, FREQ = range(13, 23)
WLAN_CONNECT, WLAN_STATE, WLAN_STOP, DIAL, SEND, RECEIVE, HANG_UP, NTP = range(30, 38)

_FD = 3
_channel = open(_FD, "r+b")
_HEAD = "<BII"
_INT = "<i"


def ask(op, a=0, b=0, data=b""):
    """Send one message; return the host's number. Raises OSError(-number) where it is negative."""
    _channel.write(struct.pack(_HEAD, op, a & 0xFFFFFFFF, b & 0xFFFFFFFF) + data)
    value = struct.unpack(_INT, _channel.read(4))[0]
    if value < 0:
        raise OSError(value)
    return value


def ask_bytes(op, a=0, b=0, data=b""):
    """Send one message; return the host's bytes. Raises OSError(-number) where it answers a negative number."""
    size = ask(op, a, b, data)
    return _channel.read(size) if size else b""


def ask_into(op, a, b, buffer):
    """Send one message; fill the buffer with the host's bytes."""
    _channel.write(struct.pack(_HEAD, op, a & 0xFFFFFFFF, b & 0xFFFFFFFF))
    return _channel.readinto(buffer)


def note(text):
    """Tell the host something that its oracles look at; used by the apps in test firmware, never by the agent."""
    ask(NOTE, 0, 0, text.encode())
