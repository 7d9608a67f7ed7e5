"""What can go wrong between client and server, beyond what the server itself says.

    RetryLaterError
    └── Unreachable    RB-CLIENT-001  no answer: not running, another address, a network in between
    BugError
    └── BadAnswer      RB-CLIENT-002  an answer that can't be read: another version, or no Ringback server at all

An error that the server sends comes back as the class of `ringback.errors` that it was there.
"""

from ringback.errors import BugError, RetryLaterError


class Unreachable(RetryLaterError):
    """No answer from the server; whether it did what was asked is not known."""


class BadAnswer(BugError):
    """An answer that is none of the API's."""
