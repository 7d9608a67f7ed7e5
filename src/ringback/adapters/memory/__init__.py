"""Everything in memory: for tests, simulations and rehearsals. The same contracts as the real adapters, without a disk.

Nothing here is a stub: what a real adapter refuses, these refuse.
"""

from ringback.adapters.memory.blobs import MemoryBlobs
from ringback.adapters.memory.keys import MemoryKeys
from ringback.adapters.memory.store import MemoryJournal, MemoryStore
from ringback.adapters.memory.world import CountingIds, ManualClock

__all__ = ["CountingIds", "ManualClock", "MemoryBlobs", "MemoryJournal", "MemoryKeys", "MemoryStore"]
