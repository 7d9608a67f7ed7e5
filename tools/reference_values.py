"""What the templates in tools/pages take from the code: limits, defaults, words and tables, by name."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from ringback.health.params import BUDGETS
from ringback.publisher.recipe import ROLES as USUAL_ROLES
from ringback.server.api import access, calls, gateway
from ringback.server.api.routes import DESCRIBED
from ringback.server.device import artifacts, enrol
from ringback.server.device.http import STATUS_BY_CLASS, STATUS_BY_CODE
from ringback.spec import artifact, device_class, names, release, rules, selector, units, versions
from ringback.usecases import document, report

GOOD = Path(__file__).resolve().parent.parent / "tests" / "spec" / "good"
DAY_MS = 86_400_000
MADE = "*Made by `python tools/reference.py` from `tools/pages` and the code; a test compares it with both.*"

STATUS_WORDS = {
    "NoRoomError": "the server's disk is full",
    "RetryLaterError": "nothing is wrong with the input: again after `Retry-After` seconds",
    "NotFoundError": "a name that means nothing here",
    "ConflictError": "it contradicts what is already there",
    "NotAllowedError": "the caller may not do this",
    "InputError": "the input has to be changed",
}


def words(found: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in found)


def table(heads: str, rows: Iterable[Iterable[object]]) -> str:
    """Returns a table of Markdown; `heads` names the columns, with | between them."""
    lines = [f"| {heads} |", "|" + "---|" * (heads.count("|") + 1)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def code_of(name: str) -> str:
    path = GOOD / name
    return f"```{path.suffix.lstrip('.')}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


def fields(kind: Any) -> str:
    return words(field.encode_name for field in msgspec.structs.fields(kind))


# --- documents --------------------------------------------------------------------------------------------------------


def budgets() -> str:
    rows = [
        (f"`{name}`", "; ".join(f"{each.devices} below {units.show_duration(each.horizon_ms)}" for each in found))
        for name, found in BUDGETS.items()
    ]
    return table("name | failures that may be hidden among devices of this age", rows)


def probes() -> str:
    rows = [
        (f"`{name}`", (probe.arg or "none") + " (may be left out)" * probe.is_arg_optional, words(probe.fields))
        for name, probe in rules.PROBES.items()
    ]
    return table("probe | arg | fields", rows)


def standard_rules() -> str:
    planes = (("app", "firmware"), ("model/NAME", "model"), ("config", "config"))
    rows = [
        (
            f"`{rule.id}`",
            f"{rule.probe}{f'/{rule.arg}' if rule.arg else ''}.{rule.field}",
            f"{rule.op} {rule.limit}",
            rule.level,
            rule.plane or "nobody",
            ", ".join(rule.at),
            rule.strikes,
        )
        for rule in rules.standard_rules(planes)
    ]
    return table("id | reads | must be | level | indicts | at | strikes", rows)


def document_values() -> dict[str, object]:
    gate, windows = release.DEFAULT_GATE, release.DEFAULT_WINDOWS
    policy = device_class.DEFAULT_POLICY
    shares = {name: units.show_share(getattr(gate, f"{name}_ppm")) for name in ("p0", "p1", "alpha", "beta", "delta")}
    numbers = ("poll_ms", "trial_ms", "hold_ms", "probe_every_ms", "uplink_ms", "boot_window_ms", "manifest_bytes_max")
    return {
        **shares,
        **{name: getattr(policy, name) for name in (*numbers, "flash_sector_bytes", "flash_cycles")},
        **{name: getattr(release, name) for name in ("VIA_MAX", "RINGS_MAX")},
        **{name: getattr(device_class, name) for name in ("VERSION_MAX", "PLANES_MAX", "SLOTS_MAX")},
        **{name: getattr(artifact, name) for name in ("CLASSES_MAX", "FILES_MAX", "READY_MS_MAX")},
        **{name: getattr(selector, name) for name in ("SELECTOR_CHARS_MAX", "VALUES_MAX")},
        "STRIKES_MAX": rules.STRIKES_MAX,
        "COMPARISONS_MAX": versions.COMPARISONS_MAX,
        "PATH_CHARS_MAX": names.PATH_CHARS_MAX,
        "MANIFEST_KIB": artifact.MANIFEST_BYTES_MAX // 1024,
        "bake": units.show_duration(release.DEFAULT_BAKE_MS),
        "budget": f"`{gate.budget_name}`",
        "stability": units.show_duration(windows.stability_ms),
        "rollback": units.show_duration(windows.rollback_ms),
        "when": words(release.WHEN),
        "operators": words(rules.OPERATORS),
        "levels": words(rules.LEVELS),
        "stages": words(rules.STAGES),
        "kinds": words(names.KINDS),
        "roles": words(artifact.ROLES),
        "placeholders": words(f"{{{name}}}" for name in artifact.PLACEHOLDERS),
        "rebooting": words(device_class.REBOOTING_BACKENDS),
        "reserved": words(selector.RESERVED_KEYS),
        "id": names.ID.pattern,
        "durations": words(units.DURATIONS_MS),
        "shares": words(units.SHARES_PPM),
        "sizes": words(units.SIZES_BYTES),
        "budgets": budgets(),
        "probes": probes(),
        "standard_rules": standard_rules(),
        "usual_roles": table("file | role", ((f"`{pattern}`", role) for pattern, role in USUAL_ROLES)),
        "release_full": code_of("release_full.yaml"),
        "release_short": code_of("release_short.yaml"),
        "class_linux": code_of("class_linux.yaml"),
        "class_esp32": code_of("class_esp32.json"),
    }


# --- HTTP -------------------------------------------------------------------------------------------------------------


def statuses() -> str:
    by_status: dict[int, list[str]] = {}
    for kind, status in STATUS_BY_CLASS:
        by_status.setdefault(status, []).append(STATUS_WORDS[kind.__name__])
    for code, status in STATUS_BY_CODE.items():
        by_status.setdefault(status, []).append(f"`{code}`")
    by_status[500] = ["our fault, or a person is needed at the server"]
    return table("status | error", ((status, "; ".join(found)) for status, found in sorted(by_status.items())))


def operations() -> str:
    rows = []
    for each in sorted(DESCRIBED, key=lambda each: (each.path, each.method)):
        body = fields(each.request) if each.request is not None else each.raw_type and f"`{each.raw_type}`"
        role = "nobody in particular" if each.is_open else each.role
        query = words(name for name, _ in each.query)
        rows.append((each.method, f"`{each.path}`", role, body or "", query, each.summary))
    return table("method | path | least role | body | query | does", rows)


def queries() -> str:
    said = {name: means for each in DESCRIBED for name, means in each.query}
    return table("query | means", ((f"`{name}`", means) for name, means in sorted(said.items())))


def http_values() -> dict[str, object]:
    return {
        "LIMIT_MAX": calls.LIMIT_MAX,
        "LIMIT_DEFAULT": calls.LIMIT_DEFAULT,
        "KEY_CHARS_MAX": gateway.KEY_CHARS_MAX,
        "body_kib": gateway.BODY_BYTES_MAX // 1024,
        "enrol_kib": enrol.ENROL_BYTES_MAX // 1024,
        "enrol_body": fields(enrol.EnrolBody),
        "enrol_answer": fields(enrol.EnrolAnswer),
        "report_kib": report.REPORT_BYTES_MAX // 1024,
        "wire_versions": " or ".join(map(str, report.WIRE_VERSIONS)),
        "lifetime_days": document.LIFETIME_MS // DAY_MS,
        "artifacts_prefix": artifacts.PREFIX,
        "api_roles": words(access.ROLES),
        "statuses": statuses(),
        "operations": operations(),
        "queries": queries(),
    }


SOURCES: tuple[Callable[[], dict[str, object]], ...] = (document_values, http_values)


def values() -> dict[str, str]:
    """Returns every value by its name in the templates."""
    return {"made": MADE, **{name: str(value) for source in SOURCES for name, value in source().items()}}
