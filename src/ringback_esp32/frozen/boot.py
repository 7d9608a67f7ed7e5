"""Runs first, before any code of the user's. Frozen as boot.py.

Arms the watchdog, counts the start, and puts right an otadata entry in a state that nobody knows, which the bootloader
would boot without protection for ever.
"""

from ringback_esp32 import board, otadata

board.arm()
START = board.note_start()
otadata.protect()
