"""Loads parts of the kernel when they are called, and lets go of them between updates.

A stand-in takes a module's place before anyone imports it. What is taken from it is a function that loads the real
module when it is called; `drop` forgets the real modules. Only modules whose functions are called, and of whose
classes no object outlives an update, may stand in.
"""

import gc
import sys

import ringback_kernel

MODULES = ("forward", "trial", "back", "constraints", "ecdsa", "replay")

_places = []


class _Function:
    """A function of a module that may not be loaded."""

    def __init__(self, place, name):
        self.place = place
        self.name = name

    def __call__(self, *args, **named):
        return getattr(self.place.load(), self.name)(*args, **named)


class _Place:
    """The stand-in of one module."""

    def __init__(self, short):
        self.short = short
        self.real = None

    def __getattr__(self, name):
        return _Function(self, name)

    def load(self):
        """Return the real module; the stand-in keeps its place."""
        if self.real is None:
            full = "ringback_kernel." + self.short
            sys.modules.pop(full)
            __import__(full)
            self.real = sys.modules[full]
            self.stand_in()
        return self.real

    def stand_in(self):
        sys.modules["ringback_kernel." + self.short] = self
        setattr(ringback_kernel, self.short, self)


def install():
    """Put the stand-ins in place; before anything imports what they stand for."""
    for short in MODULES:
        place = _Place(short)
        _places.append(place)
        place.stand_in()


def drop():
    """Forget the real modules."""
    for place in _places:
        place.real = None
    gc.collect()
