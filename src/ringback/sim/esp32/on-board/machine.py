"""`machine` as far as the agent uses it: resets, the watchdog, RTC memory.

Source: micropython/micropython, ports/esp32/modmachine.c, machine_wdt.c, machine_rtc.c.
"""

import _host

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5


def reset():
    """Reset the chip; never returns."""
    _host.ask(_host.RESET)


def deepsleep(time_ms=0):
    """Sleep until a timer resets the chip; never returns."""
    _host.ask(_host.DEEPSLEEP, time_ms)


def reset_cause():
    """Return why the chip started."""
    return _host.ask(_host.CAUSE)


def unique_id():
    """Return the base MAC address."""
    return b"\x24\x0a\xc4\x00\x00\x01"


def freq(*_):
    """Return the clock frequency in Hz."""
    return 160000000


class WDT:
    """ESP-IDF's task watchdog with panic: cannot be stopped; made again, it takes the new timeout."""

    def __init__(self, id=0, timeout=5000):
        _host.ask(_host.WATCHDOG, timeout)

    def feed(self):
        """Tell it that the program lives."""
        _host.feed()


class RTC:
    """The clock, and 2 KiB of memory that outlive a reset but not a power cut."""

    def datetime(self, value=None):
        """Set the clock from (year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        import time

        if value is None:
            now = time.localtime()
            return (now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0)
        seconds = time.mktime((value[0], value[1], value[2], value[4], value[5], value[6], 0, 0))
        _host.ask(_host.SET_EPOCH, seconds)
        return None

    def memory(self, data=None):
        """Read or write the memory."""
        if data is None:
            return _host.ask_bytes(_host.RTC_READ)
        _host.ask(_host.RTC_WRITE, 0, 0, bytes(data))
        return None
