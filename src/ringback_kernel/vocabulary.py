"""The words that device, server and simulator share; each string here is written on the wire or into the journal.

Never computes anything. A word may be added; none may change its meaning.
"""

# Phases of a deployment on one device. `transaction.TABLE` says what may follow what.
IDLE = "idle"
FETCHING = "fetching"
VERIFIED = "verified"
STAGED = "staged"
PREFLIGHT = "preflight"
ANNOUNCED = "announced"
ACTIVATING = "activating"
TRIAL = "trial"
CONFIRMED = "confirmed"
REVERTING = "reverting"
REVERTED = "reverted"
REFUSED = "refused"
SAFE_MODE = "safe_mode"

# Nothing is in hand: a newer desired state may start a deployment.
REST = (IDLE, CONFIRMED, REVERTED, REFUSED)
# Nothing that runs has changed yet: a deployment withdrawn here leaves no trace.
BEFORE = (FETCHING, VERIFIED, STAGED, PREFLIGHT, ANNOUNCED)
# Planes are changing or have changed; only confirmed or reverted ends it.
ENTERED = (ACTIVATING, TRIAL, REVERTING)
PHASES = REST + BEFORE + ENTERED + (SAFE_MODE,)

PASS = "PASS"  # noqa: S105 - a verdict, no password
FAIL = "FAIL"
WAITING = "WAITING"

REQUIRED = "required"
WANTED = "wanted"

FORWARD = "forward"
BACK = "back"

# How a deployment ended.
OUT_CONFIRMED = "confirmed"
OUT_REVERTED = "reverted"
OUT_REFUSED = "refused"
OUT_FAILED = "failed"

# Who switched safe mode on: the device at the end of its ladder, or the server.
LOCAL = "local"
REMOTE = "remote"

# The closed list of commands a server may name; none carries a path, a unit or a command line.
# `normal` leaves safe mode; the kernel does it by itself.
COMMANDS = ("reboot", "restart", "bundle", "normal")

OPERATORS = ("<=", ">=", "==")

# The closed list of probes a server may name, and the fields each can read.
PROBES = {
    "service_up": ("up", "restarts"),
    "service_speaks": ("ok", "interface"),
    "latency": ("p50_us", "p95_us", "n"),
    "golden": ("fidelity_ppm", "quality_ppm", "n"),
    "memory": ("rss_kb", "growth_kb"),
    "disk": ("free_kb", "used_ppm"),
    "temperature": ("max_mdegc",),
    "input": ("age_ms", "frames"),
    "output": ("positive_ppm", "n"),
    "consistency": ("ok", "versions_ok"),
    "logs": ("gap", "seq"),
    "telemetry": ("age_ms", "rejected"),
    "uplink": ("ok",),
    "exec": ("code",),
}
