"""Reads the documents that people write: a release, a device class.

Decides: that a document is well-formed, before it is sent: so every mistake is shown at once, with the line in the
author's own file. Never: what it means for a fleet; the server says that.
"""

import sys
from pathlib import Path

from ringback.errors import InputError

# The server's own bound for a document, so that a wrong file name does not send a model as a release.
DOCUMENT_BYTES_MAX = 256 * 1024


def text_of(path: Path) -> str:
    """Return a document's text; the path `-` is standard input.

    Raises:
        InputError: RB-CLI-021: it can't be read, is no text, or is too big.
    """
    try:
        data = sys.stdin.buffer.read(DOCUMENT_BYTES_MAX + 1) if str(path) == "-" else _head(path)
    except OSError as cause:
        raise InputError(
            "RB-CLI-021", f"{path} can't be read: {cause.strerror or cause}", hint="name a file with -f, or - for stdin"
        ) from cause
    if len(data) > DOCUMENT_BYTES_MAX:
        raise InputError(
            "RB-CLI-021",
            f"{path} has more than {DOCUMENT_BYTES_MAX // 1024} KiB",
            hint="is this the right file? a release is a page of YAML",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise InputError(
            "RB-CLI-021", f"{path} is no text: {cause.reason} at byte {cause.start}", hint="is this the right file?"
        ) from cause


def release_text(path: Path) -> str:
    """Return a release's text. Raises InputError: as `text_of`, or with every mistake in it (RB-SPEC-NNN)."""
    from ringback.spec.release import parse_release

    text = text_of(path)
    parse_release(text, str(path))
    return text


def class_text(path: Path) -> str:
    """Return a device class's text. Raises InputError: as `text_of`, or with every mistake in it (RB-SPEC-NNN)."""
    from ringback.spec.device_class import parse_class

    text = text_of(path)
    parse_class(text, str(path))
    return text


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(DOCUMENT_BYTES_MAX + 1)
