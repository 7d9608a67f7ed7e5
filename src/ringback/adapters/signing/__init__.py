"""The Director's keys and its signed root."""

from ringback.adapters.signing.director import DirectorKeys

__all__ = ["DirectorKeys"]
