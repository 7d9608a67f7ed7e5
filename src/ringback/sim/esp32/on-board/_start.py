"""Mounts the modules that a board has in flash, mapped into memory by the host, and hands over to `_port`."""

import os
import sys

import uctypes
import vfs

vfs.umount("/")
sys.path.clear()
for place in os.getenv("ROMS").split(","):
    name, at, size = place.split(":")
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(int(at), int(size))), "/" + name)
    sys.path.append("/" + name)
__import__("_port")
