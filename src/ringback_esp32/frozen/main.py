"""Runs the agent. Frozen as main.py.

What ends the agent is counted as a crash and resets the board; a board that can't even start its agent runs the
recovery loop.
"""

import sys

from ringback_esp32 import board


def main():
    """Never returns."""
    crashes, was_cut = sys.modules["boot"].START
    try:
        if crashes > 2 * board.CRASHES_MAX:
            from ringback_esp32 import recovery

            recovery.run(crashes)
        from ringback_esp32 import agent

        agent.run(crashes, was_cut)
    except Exception as error:
        sys.print_exception(error)
        board.crash()


main()
