"""What is checked on the box before anything of a deployment is activated, beside the kernel's constraints.

Invariant: nothing here touches what runs.

- The config that will be active satisfies the schema of the app that will read it, whichever of the two is new.

Room on the disk is checked before the download, where waiting for room is possible (`fetch`). Golden replay is a
probe (`probes.golden`): its readings are judged by the kernel's gates like any other.
"""

import json
from collections.abc import Collection
from pathlib import Path

from ringback.agent import schema
from ringback.agent.errors import PortError
from ringback.agent.ports import Json
from ringback.agent.probes.scene import Planes

SCHEMA_LIMIT_BYTES = 256 * 1024


def check(planes: Planes, changed: Collection[str]) -> None:
    """Raises PortError when the set of `planes` cannot be activated.

    Args:
        planes: slot and manifest of every plane as it will be.
        changed: the planes that are new.
    """
    if {"app", "config"} & set(changed):
        _check_config(planes)


def _check_config(planes: Planes) -> None:
    if "app" not in planes or "config" not in planes:
        return
    app_dir, app = planes["app"]
    config_dir, config = planes["config"]
    entry = config.file_of_role("config")
    if not app.config_schema or entry is None:
        return
    wanted = _json(app_dir / app.config_schema, "RB-AGENT-041", f"the config schema of {app.name} {app.version}")
    found = _json(config_dir / entry.path, "RB-AGENT-040", f"{config.name} {config.version}")
    schema.require_valid(wanted, found)


def _json(path: Path, code: str, what: str) -> Json:
    try:
        data = path.read_bytes()[: SCHEMA_LIMIT_BYTES + 1]
        if len(data) > SCHEMA_LIMIT_BYTES:
            raise PortError(code, f"{what} has more than {SCHEMA_LIMIT_BYTES} bytes")
        parsed: Json = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise PortError(code, f"{what} is not JSON: {error}") from error
    return parsed
