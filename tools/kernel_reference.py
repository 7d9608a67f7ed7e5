"""Writes docs/reference/kernel.md from the kernel's own tables: phases, rows, codes, limits, and the words on the wire.

What the code can say is taken from it (rows and their sentences, codes and limits with their comments); the tables of
effects and fields are here, and tests compare them with what the code asks for and reads.

Run: PYTHONPATH=src python tools/kernel_reference.py > docs/reference/kernel.md
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ringback_kernel import errors, journal, limits, transaction, vocabulary

KERNEL = Path(errors.__file__).parent

PHASES = {
    "idle": "Nothing is in hand, and nothing ended here yet, or it was put away.",
    "fetching": "Everything the deployment needs is downloaded, then verified from the disk.",
    "verified": "The bytes are what was signed; they go into their spare slots.",
    "staged": "Everything is in its slot. Held here while updates are paused or the server has not been heard of late.",
    "preflight": "Room, readiness and golden samples are checked while the old set runs.",
    "announced": "The server is asked once more; the next thing changes what runs.",
    "activating": "Planes are switched, group by group.",
    "trial": "The new set runs and has to prove itself within its window.",
    "confirmed": "The trial ended well; what runs is the way back from now on.",
    "reverting": "Planes are taken back, rung by rung, until the device is healthy.",
    "reverted": "The device is healthy again with planes taken back.",
    "refused": "The deployment was not activated; nothing changed.",
    "safe_mode": "The workload is off, the agent answers. Entered by the device when nothing helped, or by the server.",
}

EFFECTS = (
    ("checkin", "op, body", "checkin_done: op, status, body, next_ms, utc_ms · checkin_failed: op, code"),
    ("fetch", "op, artifacts", "fetch_done: op · fetch_failed: op, code, text, retry, plane, full"),
    ("verify", "op, artifacts", "verify_done: op, manifests · verify_failed: op, code, text, retry, plane, full"),
    ("stage", "op, artifacts", "stage_done: op · stage_failed: op, code, text, retry, plane, full"),
    (
        "preflight",
        "op, artifacts, rules",
        "preflight_done: op, readings · preflight_failed: op, code, text, retry, plane",
    ),
    ("activate", "op, group, direction", "activate_done: op, running, reboot · activate_failed: op, code, text"),
    ("probe", "op, rules", "probe_done: op, readings"),
    ("commit", "op, keep", "commit_done: op"),
    ("safe_mode", "op, on", "safe_mode_done: op"),
    ("reboot", "op, reason", "none; the next thing is a boot"),
    ("command", "op, id, kind, arg", "command_done: op, id, ok, text"),
    ("log", "event, fields, seq", "none"),
)

EVENTS = {
    "desired": "a newer desired state was accepted",
    "heard": "the server answered a check-in",
    "unheard": "the server did not answer",
    "boot": "the agent started",
    "normal": "the command to leave safe mode",
    "timeout": "the time of what is under way is over",
    "probe_due": "it is time for the next round of readings",
}

DESIRED = (
    ("version", "integer, at least 1", "the generation; never older than the last"),
    ("expires", "time", "after this nothing new is taken from the document; what runs goes on"),
    ("targets", "object", "`<plane>/<name>/<version>`: every plane the document speaks about"),
    ("targets.*.length", "integer", "bytes of the manifest"),
    ("targets.*.hashes.sha256", "64 hex digits", "of the manifest: the artifact's digest"),
    ("targets.*.custom", "object", "plane, kind, version, epoch, hw, requires, bytes; each equals the manifest's"),
    ("ota.device, ota.tenant", "text", "whom it is for"),
    ("ota.release, ota.rollout, ota.attempt", "text, text, integer", "what the deployment is called"),
    ("ota.issued_ms", "integer", "UTC; the device's time is never before the newest of these"),
    ("ota.order", "list of lists of planes", "groups of the activation; only these planes may change"),
    ("ota.rules", "object", "hold_ms, every_ms, list: the health rules"),
    ("ota.trial_ms, ota.uplink_ms", "integer", "the trial's window; the uplink rule's, 0 to switch it off"),
    ("ota.ladder", "list", 'rungs {planes, set}: what each takes back, and to which digest ("" = empty)'),
    ("ota.first", "object", "plane to the rung that an indictment of it starts with"),
    ("ota.drill", "null or {rule}", "the rule whose reading is made to fail once"),
    ("ota.frozen", "list of [plane, digest]", "never newly activated"),
    ("ota.updates_paused, ota.safe_mode", "true or false", "the brakes of this device"),
    ("ota.commands", "list of {id, kind, arg}", "each runs at most once; kinds: " + ", ".join(vocabulary.COMMANDS)),
)

RULE = (
    ("id", "text", "its name in reports"),
    ("probe, arg, field", "text", "what is read, from the closed list below"),
    ("op, limit", "<= >= ==, integer", "passes when reading op limit"),
    ("level", "required or wanted", "only required rules decide"),
    ("plane", "plane or null", "which plane a failure indicts"),
    ("at", "list", "preflight, trial"),
    ("strikes", "1 to 100", "failing readings in a row that make a failure"),
    ("min_n", "integer", "samples a reading needs to count"),
)

REPORT = (
    ("v, device, class, agent", "who speaks, and in which version of this format"),
    ("boot_id, starts, seq, up_ms", "which boot, which start of the agent, which report, and its monotonic time"),
    ("have, root", "the newest accepted generation, and the version of the pinned root"),
    ("state, deploy", "the phase, and the deployment in hand with `entered` (announced or further), or null"),
    ("planes, confirmed", "what runs as read back, and the last-known-good set"),
    ("outcome", "how the last deployment ended; in every report until the next one ends"),
    ("trans", "the last transitions: [number, from, event, to, up_ms]"),
    ("read, bad, health", "the newest readings, probes that failed, and the verdict between deployments"),
    ("log_seq, flags, cmds, rejected", "logs so far, conditions, commands done, and the newest refused document"),
)

OUTCOME = (
    ("kind", "confirmed, reverted, refused (nothing was activated), failed (safe mode, or a download given up)"),
    ("gen, release, rollout, attempt", "the deployment; the generation it started under"),
    ("entered, healthy, drill, blame", "announced or further; healthy now; a drill; evidence against the release"),
    ("code, rule, plane, reading, op, limit, text", "why; what was read and should have been; the plane it indicts"),
    ("rung", "the planes that went back"),
    (
        "detect_ms, recover_ms",
        "from the activation (a drill: from its injection) to the verdict; from there to healthy",
    ),
)


def main() -> int:
    print(document(), end="")
    return 0


def document() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The kernel: what a device decides"
    yield ""
    yield "*Made by `tools/kernel_reference.py`; a test compares it with the code.*"
    yield ""
    yield from _paragraphs(transaction.__doc__ or "")
    yield ""
    yield "## Phases"
    yield ""
    yield from _table(("phase", "meaning"), [(f"`{name}`", PHASES[name]) for name in PHASES])
    yield ""
    yield "```mermaid"
    yield from _diagram()
    yield "```"
    yield ""
    yield "## Rows"
    yield ""
    yield "An event without a row is an error. An answer to an effect that is not waited for any more never gets here."
    yield ""
    yield from _table(("in", "on", "what happens", "may lead to"), list(_rows()))
    yield ""
    yield "## Effects and their answers"
    yield ""
    yield "Every effect carries a number, `op`, which its answer repeats. A state is durable before its effects start."
    yield ""
    yield from _table(
        ("effect", "carries", "answer"), [(f"`{name}`", given, answer) for name, given, answer in EFFECTS]
    )
    yield ""
    yield "Events that no effect answers: " + "; ".join(f"`{name}`: {text}" for name, text in EVENTS.items()) + "."
    yield ""
    yield from _words_on_the_wire()
    yield ""
    yield "## Codes"
    yield ""
    yield from _table(("code", "meaning"), [(f"`{code}`", meaning) for _, code, meaning in codes()])
    yield ""
    yield "## Limits"
    yield ""
    yield from _table(("limit", "Linux", "small", "why"), list(_limits()))
    yield ""
    yield "## Journal"
    yield ""
    yield from _paragraphs(journal.__doc__ or "")


def _words_on_the_wire() -> Iterator[str]:
    yield "## Desired state"
    yield ""
    yield "A TUF 1.0 targets document, one for each device. Unknown fields are ignored, unknown rules are refused."
    yield ""
    yield from _table(("field", "is", "means"), DESIRED)
    yield ""
    yield "A health rule:"
    yield ""
    yield from _table(("field", "is", "means"), RULE)
    yield ""
    yield (
        "Probes and their fields: "
        + "; ".join(f"{name} ({', '.join(of)})" for name, of in vocabulary.PROBES.items())
        + "."
    )
    yield ""
    yield "## Report"
    yield ""
    yield from _table(("field", "means"), REPORT)
    yield ""
    yield "An outcome:"
    yield ""
    yield from _table(("field", "means"), OUTCOME)


def _paragraphs(text: str) -> list[str]:
    return text.strip().splitlines()


def _table(head: tuple[str, ...], rows: object) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:  # type: ignore[attr-defined]  # tuples of texts
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for phases, event, handler, nexts in transaction.TABLE:
        sentence = " ".join((handler.__doc__ or "").strip().split("\n\n")[0].split())
        leads = ", ".join(sorted(set(nexts), key=list(PHASES).index)) or "the same"
        yield ", ".join(phases), f"`{event}`", sentence, leads


def _diagram() -> Iterator[str]:
    """The transitions that change the phase, one arrow for each pair, with the events on it."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for phases, event, _, nexts in transaction.TABLE:
        for phase in phases:
            for following in nexts:
                if following != phase:
                    arrows.setdefault((phase, following), []).append(event)
    yield "stateDiagram-v2"
    yield "  [*] --> idle"
    order = list(PHASES)
    for phase, following in sorted(arrows, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        events = list(dict.fromkeys(arrows[(phase, following)]))
        yield f"  {phase} --> {following}: {', '.join(events)}"


def codes() -> list[tuple[str, str, str]]:
    """Return (constant, code, meaning) of every code, from the lines of errors.py."""
    found = re.findall(r'^([A-Z_]+) = "(RB-[A-Z]+-\d+)"  # (.+)$', (KERNEL / "errors.py").read_text(), re.MULTILINE)
    return [(name, code, meaning) for name, code, meaning in found]


def _limits() -> Iterator[tuple[str, str, str, str]]:
    """Every limit with the comment above it."""
    linux, small = limits.Limits(), limits.small()
    comment: list[str] = []
    for line in (KERNEL / "limits.py").read_text().splitlines():
        text = line.strip()
        if text.startswith("# "):
            comment.append(text[2:])
        elif text.startswith("self."):
            name = text[5:].split(" ")[0]
            yield f"`{name}`", str(getattr(linux, name)), str(getattr(small, name)), " ".join(comment)
            comment = []


if __name__ == "__main__":
    sys.exit(main())
