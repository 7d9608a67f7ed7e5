"""Models, configs and manifests on the board's own littlefs partition, behind one atomic pointer.

- A file is named by the first 16 hex digits of its SHA-256 and checked against all 64; equal files of two versions are
  kept once. What is not whole yet ends in `.part`.
- The pointer names the active artifact of every file plane at once, so that model and config switch together. It is
  written beside and renamed, read back, and every byte it leads to is hashed before.
- What is active, confirmed or previous is never deleted here, whatever the disk says.
"""

import binascii
import hashlib
import json
import os

import vfs

from ringback_esp32 import board, errors
from ringback_esp32.errors import PortError

ROOT = "/rb"
POINTER = ROOT + "/active"
MANIFEST_MAX = 4352
FILES_MAX = 24
# Blocks of littlefs that downloads leave free: a pointer, a manifest and the file system's own pairs must still fit.
RESERVE_BLOCKS = 6
_CHUNK = 1024
# A long download is made durable this often, so that a cut loses no more.
SYNC_BYTES = 16384


def mount():
    """Mount the partition, formatting one that holds no file system. Returns whether it was formatted.

    Without times of change: nobody reads them, and each would be another write.
    """
    part = board.partition(board.DATA)
    try:
        vfs.mount(vfs.VfsLfs2(part, readsize=32, progsize=32, mtime=False), ROOT)
        return False
    except OSError:
        vfs.VfsLfs2.mkfs(part, readsize=32, progsize=32)
        vfs.mount(vfs.VfsLfs2(part, readsize=32, progsize=32, mtime=False), ROOT)
        return True


def path_of(sha):
    """Return where a file lies, by its 64 hex digits."""
    return ROOT + "/" + sha[:16]


def hex_of(digest):
    """Return the 64 hex digits of a digest. Raises PortError when it is none: it becomes a file name."""
    digits = digest[7:]
    if digest[:7] != "sha256:" or len(digits) != 64 or [char for char in digits if char not in "0123456789abcdef"]:
        raise PortError(errors.BAD_MANIFEST, "no digest: " + digest[:40])
    return digits


def size_of(path):
    """Return the size of a file, -1 where there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1


def has(sha, size):
    return size_of(path_of(sha)) == size


def check(sha, size):
    """Hash a file. Raises PortError when it is not the one."""
    hashed = hashlib.sha256()
    try:
        with open(path_of(sha), "rb") as file:
            buffer = bytearray(_CHUNK)
            view = memoryview(buffer)
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                hashed.update(view[:count])
    except OSError:
        raise PortError(errors.BAD_MANIFEST, sha[:16] + " is missing", True)
    if size_of(path_of(sha)) != size or binascii.hexlify(hashed.digest()).decode() != sha:
        os.remove(path_of(sha))
        raise PortError(errors.WRONG_HASH, sha[:16] + " is damaged", True)


def room(size):
    """Raise PortError where a file of this size would not fit beside the reserve."""
    found = os.statvfs(ROOT)
    free = found[3] - RESERVE_BLOCKS
    if (size + found[0] - 1) // found[0] > free:
        raise PortError(errors.NO_ROOM, "%d bytes, %d blocks are free" % (size, free), True)


def bring(sha, size, source):
    """Make a file lie here whole. `source` as in `slots.fill`. Raises PortError."""
    if has(sha, size):
        return
    part = path_of(sha) + ".part"
    start = max(0, size_of(part))
    if start > size:
        os.remove(part)
        start = 0
    room(size - start)
    hashed = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    try:
        _hash_part(part, start, hashed, buffer)
        with open(part, "ab") as file:
            if start < size:
                _download(file, start, size, [hashed, source, view])
    except OSError as error:
        raise PortError(errors.NO_ROOM, "littlefs: " + str(error)[:40], True)
    if binascii.hexlify(hashed.digest()).decode() != sha:
        os.remove(part)
        raise PortError(errors.WRONG_HASH, sha[:16] + " hashes to another value", True)
    os.rename(part, path_of(sha))


def _hash_part(part, start, hashed, buffer):
    if start:
        view = memoryview(buffer)
        with open(part, "rb") as file:
            while True:
                count = file.readinto(buffer)
                if not count:
                    break
                hashed.update(view[:count])


def _download(file, start, size, tools):
    hashed, source, view = tools
    download = source(start)
    since = 0
    try:
        while start < size:
            take = min(_CHUNK, size - start)
            download.readinto(view[:take])
            hashed.update(view[:take])
            file.write(view[:take])
            start += take
            since += take
            if since >= SYNC_BYTES:
                file.flush()
                since = 0
            board.feed()
    finally:
        download.close()


def manifest(digest):
    """Return the manifest with this digest. Raises PortError where it is missing, damaged or no manifest."""
    sha = hex_of(digest)
    try:
        with open(path_of(sha), "rb") as file:
            raw = file.read(MANIFEST_MAX + 1)
    except OSError:
        raise PortError(errors.BAD_MANIFEST, "the manifest %s is missing" % sha[:16], True)
    if binascii.hexlify(hashlib.sha256(raw).digest()).decode() != sha:
        os.remove(path_of(sha))
        raise PortError(errors.WRONG_HASH, "the manifest %s is damaged" % sha[:16], True)
    found = json.loads(raw)
    files = found.get("files")
    if not isinstance(files, list) or not 0 < len(files) <= FILES_MAX:
        raise PortError(errors.BAD_MANIFEST, "%s names no files or too many" % sha[:16])
    for entry in files:
        hex_of("sha256:" + str(entry.get("sha256")))
        if not isinstance(entry.get("size_bytes"), int) or entry["size_bytes"] < 0:
            raise PortError(errors.BAD_MANIFEST, "%s names a file without a size" % sha[:16])
    return found


def active():
    """Return ({plane: digest}, whether the pointer could be read)."""
    try:
        with open(POINTER, "rb") as file:
            found = json.loads(file.read(1024))
        for plane in found:
            hex_of(found[plane])
        return found, True
    except OSError as error:
        return {}, error.args[0] == 2
    except (ValueError, PortError, TypeError, AttributeError):
        return {}, False


def switch(changes):
    """Point planes at artifacts, "" for none, all at once. Raises PortError; then nothing has changed."""
    for plane in changes:
        if changes[plane]:
            for entry in manifest(changes[plane])["files"]:
                check(entry["sha256"], entry["size_bytes"])
    now, _ = active()
    for plane in changes:
        if changes[plane]:
            now[plane] = changes[plane]
        else:
            now.pop(plane, None)
    try:
        with open(POINTER + ".new", "wb") as file:
            file.write(json.dumps(now).encode())
        os.rename(POINTER + ".new", POINTER)
    except OSError as error:
        raise PortError(errors.NO_ROOM, "the pointer: " + str(error)[:40], True)
    found, _ = active()
    for plane in changes:
        if found.get(plane, "") != changes[plane]:
            raise PortError(errors.POINTER, plane + " is not what the pointer names")


def tidy(keep):
    """Delete every file that none of these artifacts needs."""
    needed = ["active"]
    for digest in keep:
        try:
            for entry in manifest(digest)["files"]:
                needed.append(entry["sha256"][:16])
            needed.append(hex_of(digest)[:16])
        except PortError:
            # A manifest that is gone keeps nothing; what it listed may still be needed by another.
            pass
    for name in os.listdir(ROOT):
        if name not in needed:
            os.remove(ROOT + "/" + name)


def file_of(found, role):
    """Return the path of the first file with this role in a manifest, or ""."""
    for entry in found["files"]:
        if entry["role"] == role:
            return path_of(entry["sha256"])
    return ""
