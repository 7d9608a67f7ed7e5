"""The door app's configuration: read from one JSON file, checked against the schema shipped beside this module.

What it decides: which documents the app accepts, and what applies where a document is silent (the schema's defaults).
What it never does: read part of a document; one wrong value refuses the whole, so the old settings stay in use.

The publisher checks configs with a full JSON Schema validator; this one knows the words this schema uses, and fails on
any other, so the two can't drift apart unseen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA_PATH = Path(__file__).with_name("config.schema.json")
# A config is a page of settings; anything larger is not one.
CONFIG_LIMIT_BYTES = 64 * 1024
DEFAULT_DOCUMENT: dict[str, Any] = {"camera": {"source": "door"}}
KNOWN_WORDS = frozenset(
    "$schema title description type additionalProperties required properties enum minimum maximum default".split()
)
TYPES: dict[str, type] = {"object": dict, "integer": int, "boolean": bool, "string": str}


class Settings(NamedTuple):
    """What the services use. Thresholds in ppm; frame_interval_ms 0 means that the stream is paused."""

    source: str
    frame_interval_ms: int
    face_enabled: bool
    face_threshold_ppm: int
    voice_enabled: bool
    voice_threshold_ppm: int
    log_keep_one_in: int
    save_frames: bool


class ConfigRefused(ValueError):
    """The document is not a configuration of this app. The next action is to fix the document."""


def load(path: str) -> Settings:
    """Settings of the file at `path`, or the defaults when there is none (a new box has no config yet).

    Raises ConfigRefused: unreadable, no JSON, or against the schema; the message names the path and the reason.
    """
    file = Path(path) if path else None
    if file is None or not file.exists():
        return parse(DEFAULT_DOCUMENT)
    try:
        text = file.read_bytes()[: CONFIG_LIMIT_BYTES + 1]
        if len(text) > CONFIG_LIMIT_BYTES:
            raise ConfigRefused(f"the configuration is longer than {CONFIG_LIMIT_BYTES} bytes")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as cause:
        raise ConfigRefused(f"the configuration is no JSON document: {cause}") from cause
    return parse(document)


def parse(document: object) -> Settings:
    """Settings of a document. Raises ConfigRefused: the document breaks the schema."""
    schema = json.loads(SCHEMA_PATH.read_bytes())
    faults = check(schema, document, "")
    if faults:
        raise ConfigRefused("; ".join(faults))
    full = _with_defaults(schema, document)
    return Settings(
        source=full["camera"]["source"],
        frame_interval_ms=full["camera"]["frame_interval_ms"],
        face_enabled=full["face"]["enabled"],
        face_threshold_ppm=full["face"]["threshold_ppm"],
        voice_enabled=full["voice"]["enabled"],
        voice_threshold_ppm=full["voice"]["threshold_ppm"],
        log_keep_one_in=full["upload"]["log_keep_one_in"],
        save_frames=full["debug"]["save_frames"],
    )


def check(schema: dict[str, Any], value: object, path: str) -> list[str]:
    """Faults of `value`, each as "path: reason"; none when it follows the schema."""
    unknown = set(schema) - KNOWN_WORDS
    assert not unknown, f"the schema uses {sorted(unknown)}, which this check does not know"
    where = path or "the document"
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{where}: {value!r} is none of {schema['enum']}"]
    if not isinstance(value, TYPES[schema["type"]]) or (schema["type"] == "integer" and isinstance(value, bool)):
        return [f"{where}: expected {schema['type']}, found {value!r}"]
    if isinstance(value, dict):
        return _check_members(schema, value, path)
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return [] if low <= value <= high else [f"{where}: {value} is outside {low}..{high}"]
    return []


def _check_members(schema: dict[str, Any], value: dict[str, Any], path: str) -> list[str]:
    known = schema["properties"]
    prefix = f"{path}." if path else ""
    faults = [f"{prefix}{name}: missing" for name in schema.get("required", []) if name not in value]
    for name, member in value.items():
        if name in known:
            faults += check(known[name], member, prefix + name)
        else:
            faults.append(f"{prefix}{name}: unknown; known here: {', '.join(sorted(known))}")
    return faults


def _with_defaults(schema: dict[str, Any], value: object) -> Any:
    if "properties" not in schema:
        return value
    given = value if isinstance(value, dict) else {}
    return {
        name: _with_defaults(member, given.get(name, member.get("default")))
        for name, member in schema["properties"].items()
    }
