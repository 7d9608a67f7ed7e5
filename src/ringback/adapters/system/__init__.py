"""The machine: its clock, its randomness, its files."""

from ringback.adapters.system.clock import SteadyClock
from ringback.adapters.system.ids import RandomIds
from ringback.adapters.system.secrets import write_secret

__all__ = ["RandomIds", "SteadyClock", "write_secret"]
