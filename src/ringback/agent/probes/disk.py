"""Probe `disk`: room on the disk that matters, by the device file: `probe.disk.path`, default the state folder.

Values: free_kb; used_ppm of the size. Where the device file gives a quota, it is the size.
"""

import os
from pathlib import Path

from ringback.agent.errors import ProbeError
from ringback.agent.files import used_bytes
from ringback.agent.probes.scene import Scene

FULL_PPM = 1_000_000


def measure(scene: Scene, arg: str) -> dict[str, int]:
    """Asks the file system. Raises ProbeError RB-PROBE-004 when the path cannot be read."""
    path = scene.lab.device_file.disk_path or str(scene.lab.state)
    quota_bytes = scene.lab.device_file.disk_quota_bytes
    try:
        status = os.statvfs(path)
    except OSError as error:
        raise ProbeError("RB-PROBE-004", f"{path}: {error.strerror}") from error
    free = status.f_bavail * status.f_frsize
    size = (status.f_blocks - status.f_bfree + status.f_bavail) * status.f_frsize
    used = size - free
    if quota_bytes:
        used = used_bytes(Path(path))
        size, free = quota_bytes, max(0, min(free, quota_bytes - used))
    return {"free_kb": free // 1024, "used_ppm": min(FULL_PPM, used * FULL_PPM // max(size, 1))}
