"""Writes MicroPython's ROMFS: modules that run where they lie, as frozen ones do on the board, and not from the heap.

Format: every record is `kind, length, payload`, kind and length as big-endian groups of 7 bits; the file is one record.

Source: micropython/micropython, extmod/vfs_rom.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_HEAD: Final = b"\xd2\xcd\x31"
_DATA: Final = 2
_FOLDER: Final = 4
_FILE: Final = 5


def romfs(files: Mapping[str, bytes]) -> bytes:
    """Return a file system with these files, by path; at most one folder deep."""
    folders: dict[str, list[bytes]] = {}
    for path, data in sorted(files.items()):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(_record(_FILE, _name(name) + _record(_DATA, data)))
    content = b"".join(folders.pop("", []))
    for folder, records in folders.items():
        content += _record(_FOLDER, _name(folder) + b"".join(records))
    length = _number(len(content))
    if (len(_HEAD) + len(length) + len(content)) % 2:
        length = b"\x80" + length
    return _HEAD + length + content


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _name(name: str) -> bytes:
    return _number(len(name)) + name.encode("ascii")


def _number(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.insert(0, 0x80 | value & 0x7F)
    return bytes(groups)
