"""Counts the operations that change the flash, and takes power away before the one it was told to.

The operation that was interrupted is kept, not done: how much of it happened is chosen afterwards (`flash.tears`), so
that one killed process gives every way in which that operation can have ended.
"""

from __future__ import annotations

from ringback.sim.esp32.flash import Flash, Operation


class PowerCut(Exception):
    """Power went away; `operation` had begun."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(str(operation))
        self.operation = operation


class Power:
    """The supply of one life.

    Args:
        flash: the chip.
        cut_at: index of the operation that power is lost in; None for a life that is not cut.
    """

    def __init__(self, flash: Flash, cut_at: int | None) -> None:
        self._flash = flash
        self._cut_at = cut_at
        self.size_bytes = flash.size_bytes
        self.read = flash.read
        self.operations: list[Operation] = []

    def do(self, operation: Operation) -> None:
        """Do an operation. Raises PowerCut instead where power is lost in it."""
        if len(self.operations) == self._cut_at:
            raise PowerCut(operation)
        self.operations.append(operation)
        self._flash.apply(operation)
