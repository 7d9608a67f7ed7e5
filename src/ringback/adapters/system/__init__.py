"""The machine: its clock and its randomness."""

from ringback.adapters.system.clock import SteadyClock
from ringback.adapters.system.ids import RandomIds

__all__ = ["RandomIds", "SteadyClock"]
