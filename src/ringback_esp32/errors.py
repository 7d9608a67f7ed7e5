"""Why a step on the board failed: PortError, with a stable code; the kernel reports it and decides what follows.

RB-ESP-010 no answer   -011 refused by the server    -012 another length or range than was asked for   -013 no Wi-Fi
RB-ESP-020 wrong hash  -021 larger than signed for   -022 malformed manifest or missing file           -023 no room
RB-ESP-030 no firmware for this chip or slot         -031 the running firmware is not confirmed yet
RB-ESP-032 the flash does not hold what was written  -033 the bootloader would not choose the slot
RB-ESP-040 the pointer does not name what was activated
RB-ESP-050 the app did not start                     -051 the app has no such reading  -052 the replay failed
RB-ESP-090 a bug in the agent
"""

NO_ANSWER = "RB-ESP-010"
REFUSED = "RB-ESP-011"
WRONG_RANGE = "RB-ESP-012"
NO_WIFI = "RB-ESP-013"
WRONG_HASH = "RB-ESP-020"
TOO_LARGE = "RB-ESP-021"
BAD_MANIFEST = "RB-ESP-022"
NO_ROOM = "RB-ESP-023"
NO_FIRMWARE = "RB-ESP-030"
UNCONFIRMED = "RB-ESP-031"
FLASH = "RB-ESP-032"
NOT_CHOSEN = "RB-ESP-033"
POINTER = "RB-ESP-040"
NO_APP = "RB-ESP-050"
NO_READING = "RB-ESP-051"
NO_REPLAY = "RB-ESP-052"
BUG = "RB-ESP-090"


class PortError(Exception):
    """A step failed. `retry`: whether the same step may work later."""

    def __init__(self, code, text, retry=False):
        super().__init__(code + ": " + text)
        self.code = code
        self.text = text
        self.retry = retry
