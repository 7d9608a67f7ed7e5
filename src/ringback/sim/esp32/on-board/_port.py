"""What the ESP32 port does before and after the firmware's own code: mount the file system, boot.py, main.py, prompt.

Source: micropython/micropython, ports/esp32/main.c and modules/_boot.py.
"""

import _host
import vfs
from esp32 import Partition


def _mount():
    for partition in Partition.find(Partition.TYPE_DATA, label="vfs"):
        try:
            vfs.mount(vfs.VfsLfs2(partition, readsize=32, progsize=32), "/")
        except OSError:
            vfs.VfsLfs2.mkfs(partition, readsize=32, progsize=32)
            vfs.mount(vfs.VfsLfs2(partition, readsize=32, progsize=32), "/")


def run():
    """Never returns where the firmware is sound."""
    _mount()
    # An exception ends in the prompt, and main.py does not run after a failed boot.py: the host sees this process end.
    __import__("boot")
    __import__("main")
    _host.ask(_host.ENDED)


run()
