"""The one tree of errors, sorted by what the reader has to do next.

    RingbackError
    ├── InputError           fix the input: it will never be accepted as it is
    │   ├── NotFoundError    the name means nothing here
    │   ├── ConflictError    it contradicts what is already there (or has changed since it was read)
    │   └── NotAllowedError  the caller may not do this
    ├── RetryLaterError      nothing is wrong with the input; try again after `retry_after_s`
    ├── NeedsHumanError      someone has to look at this machine or this fleet
    └── BugError             our own fault

Every error has a stable code (RB-<AREA>-NNN), says what was found and what was expected, and ends with a hint: what to
do. Subclasses of an area live beside the code that raises them. A plan that is not made is no error but a value (see
`ringback.plan`). The API shows every error in one shape: code, message, fields, hint.
"""

from collections.abc import Mapping


class RingbackError(Exception):
    """An error with a stable code and a hint.

    Args:
        code: RB-<AREA>-NNN, stable for ever.
        message: what was tried, what was found, what was expected, with units.
        hint: what to do next; empty where there is nothing to do.
        fields: what machines may want to read: names to short texts.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.hint = hint
        self.fields: dict[str, str] = dict(fields or {})

    def __str__(self) -> str:
        """Return the error in one line: code, message, hint."""
        return f"{self.code}: {self.message}" + (f" Hint: {self.hint}" if self.hint else "")


class InputError(RingbackError):
    """The input has to be changed; the same input will be refused again."""


class NotFoundError(InputError):
    """A name that means nothing here, or not to this caller."""


class ConflictError(InputError):
    """The input contradicts what is already there, or what was read has changed since."""


class NotAllowedError(InputError):
    """The caller has no right to do this."""


class RetryLaterError(RingbackError):
    """Nothing is wrong with the input. Args as `RingbackError`, and ``retry_after_s``: seconds to wait, at least 1."""

    def __init__(self, code: str, message: str, *, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after_s = retry_after_s


class NeedsHumanError(RingbackError):
    """Someone has to look at this machine or this fleet before it can go on."""


class BugError(RingbackError):
    """Our own fault: please report it."""
