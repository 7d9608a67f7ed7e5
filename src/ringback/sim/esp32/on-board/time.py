"""`time` on the host's clock: nothing waits, the host moves it on. The epoch is 2000-01-01, ticks wrap at 2^30."""

import utime

import _host

_PERIOD = 1 << 30
_UNIX_2000 = 946684800


def ticks_ms():
    """Return milliseconds, wrapping."""
    return _host.ticks()


def ticks_us():
    """Return microseconds, wrapping. As exact as the host's clock: computing takes no time here."""
    return ticks_ms() * 1000 & (_PERIOD - 1)


def ticks_diff(end, start):
    """Return end - start, right across a wrap."""
    return ((end - start + _PERIOD // 2) & (_PERIOD - 1)) - _PERIOD // 2


def ticks_add(ticks, delta):
    """Return ticks moved by delta."""
    return (ticks + delta) & (_PERIOD - 1)


def sleep_ms(duration):
    """Let time pass."""
    _host.ask(_host.SLEEP, max(0, duration))


def sleep(seconds):
    """Let time pass."""
    _host.ask(_host.SLEEP, int(seconds * 1000))


def time():
    """Return seconds since 2000."""
    return _host.ask(_host.EPOCH)


def gmtime(seconds=None):
    """Return (year, month, day, hour, minute, second, weekday, yearday)."""
    return utime.gmtime((time() if seconds is None else seconds) + _UNIX_2000)


localtime = gmtime


def mktime(parts):
    """Return seconds since 2000."""
    return utime.mktime(parts) - _UNIX_2000
