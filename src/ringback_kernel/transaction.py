"""The transaction of one device: one table, from (phase, event) to what happens.

A deployment goes forward through fetching, verified, staged, preflight and announced; until then nothing that runs has
changed, and a newer desired state or a refusal ends it without a trace. From activating on there are two ends:
confirmed when every required rule passed for the hold time, else reverting, rung by rung down the compiled ladder, to
reverted; and safe mode when not even the last-known-good set is healthy.

- `step` is pure: it takes a state, an event and the time, and returns the next state and the effects to ask for. The
  caller writes the state down before it starts an effect, and gives every effect's answer back as an event.
- Every effect may be asked for again after a crash, so every effect is idempotent.
- Every phase that is not a rest has a timeout row, and every circle in the table has a counter in the state.
- An event without a row is an error that names event and phase: an answer to an effect that this phase never asked for.

Never: looks at a clock, a disk or a network. The rows' handlers are in `rest`, `forward`, `trial` and `back`.
"""

from ringback_kernel import back, forward, rest, trial
from ringback_kernel.errors import TransitionError
from ringback_kernel.vocabulary import (
    ACTIVATING,
    ANNOUNCED,
    BEFORE,
    CONFIRMED,
    ENTERED,
    FETCHING,
    IDLE,
    PREFLIGHT,
    REFUSED,
    REST,
    REVERTED,
    REVERTING,
    SAFE_MODE,
    STAGED,
    TRIAL,
    VERIFIED,
)

# What a rest may turn into when a desired state is considered.
_FROM_REST = (FETCHING, REFUSED, CONFIRMED, SAFE_MODE)
# What is left of a deployment that ends before the activation: the rest it came from, or what the newer state asks for.
_WITHDRAWN = (IDLE, REFUSED, SAFE_MODE)

# A turn round may end at once, when nothing has to be switched or no rung is left.
_GONE_BACK = (REVERTING, REVERTED, SAFE_MODE)

# (phases, event, handler, phases it may lead to besides the same one)
TABLE = (
    (REST, "desired", rest.on_desired, _FROM_REST),
    (REST, "heard", rest.on_heard, _FROM_REST),
    (REST, "unheard", rest.on_unheard, ()),
    (REST, "boot", rest.on_boot, ()),
    (REST, "normal", rest.on_normal, ()),
    ((CONFIRMED, REVERTED), "commit_done", rest.on_commit_done, _FROM_REST),
    ((CONFIRMED, REVERTED), "timeout", rest.on_commit_timeout, _FROM_REST),
    ((SAFE_MODE,), "desired", rest.on_desired, _FROM_REST + (IDLE,)),
    ((SAFE_MODE,), "heard", rest.on_heard, _FROM_REST),
    ((SAFE_MODE,), "unheard", rest.on_unheard, ()),
    ((SAFE_MODE,), "boot", rest.on_safe_boot, ()),
    ((SAFE_MODE,), "normal", rest.on_normal, ()),
    ((SAFE_MODE,), "safe_mode_done", rest.on_safe_mode_done, _FROM_REST + (IDLE,)),
    ((SAFE_MODE,), "timeout", rest.on_safe_timeout, ()),
    (BEFORE, "desired", forward.on_desired, _WITHDRAWN + (FETCHING, STAGED, PREFLIGHT, CONFIRMED)),
    (BEFORE, "boot", forward.on_boot, _WITHDRAWN + (FETCHING,)),
    (BEFORE, "normal", rest.on_normal, ()),
    ((FETCHING, VERIFIED, PREFLIGHT), "heard", rest.note_heard, ()),
    (BEFORE, "unheard", forward.on_unheard, ()),
    ((FETCHING,), "fetch_done", forward.on_fetch_done, ()),
    ((FETCHING,), "fetch_failed", forward.on_failed, _WITHDRAWN),
    ((FETCHING,), "verify_done", forward.on_verify_done, _WITHDRAWN + (VERIFIED,)),
    ((FETCHING,), "verify_failed", forward.on_failed, _WITHDRAWN),
    ((FETCHING,), "timeout", forward.on_fetch_timeout, _WITHDRAWN),
    ((VERIFIED,), "stage_done", forward.on_stage_done, _WITHDRAWN + (STAGED, PREFLIGHT)),
    ((VERIFIED,), "stage_failed", forward.on_failed, _WITHDRAWN),
    ((VERIFIED,), "timeout", forward.on_step_timeout, _WITHDRAWN),
    ((STAGED,), "heard", forward.on_staged_heard, _WITHDRAWN + (PREFLIGHT,)),
    ((STAGED,), "timeout", forward.on_staged_timeout, _WITHDRAWN),
    ((PREFLIGHT,), "preflight_done", forward.on_preflight_done, _WITHDRAWN + (ANNOUNCED,)),
    ((PREFLIGHT,), "preflight_failed", forward.on_failed, _WITHDRAWN),
    ((PREFLIGHT,), "timeout", forward.on_preflight_timeout, _WITHDRAWN),
    ((ANNOUNCED,), "heard", forward.on_announced_heard, _GONE_BACK + (ACTIVATING, TRIAL)),
    ((ANNOUNCED,), "timeout", forward.on_announced_timeout, _GONE_BACK + (ACTIVATING, TRIAL, STAGED)),
    (ENTERED, "desired", trial.on_desired, _GONE_BACK),
    (ENTERED, "heard", trial.on_heard, (REVERTED, CONFIRMED, SAFE_MODE)),
    (ENTERED, "unheard", rest.on_unheard, ()),
    (ENTERED, "normal", rest.on_normal, ()),
    ((ACTIVATING,), "activate_done", trial.on_activate_done, _GONE_BACK + (TRIAL,)),
    ((ACTIVATING,), "activate_failed", trial.on_activate_failed, _GONE_BACK),
    ((ACTIVATING,), "safe_mode_done", trial.on_safe_mode_done, _GONE_BACK + (TRIAL,)),
    ((ACTIVATING,), "timeout", trial.on_activate_timeout, _GONE_BACK),
    ((ACTIVATING,), "boot", trial.on_activating_boot, _GONE_BACK + (TRIAL,)),
    ((TRIAL,), "probe_done", trial.on_probe_done, _GONE_BACK + (CONFIRMED,)),
    ((TRIAL,), "probe_due", trial.on_probe_due, ()),
    ((TRIAL,), "timeout", trial.on_timeout, _GONE_BACK),
    ((TRIAL,), "boot", trial.on_boot, _GONE_BACK),
    ((REVERTING,), "activate_done", back.on_activate_done, _GONE_BACK),
    ((REVERTING,), "activate_failed", back.on_activate_failed, _GONE_BACK),
    ((REVERTING,), "probe_done", back.on_probe_done, _GONE_BACK),
    ((REVERTING,), "probe_due", back.on_probe_due, ()),
    ((REVERTING,), "timeout", back.on_timeout, _GONE_BACK),
    ((REVERTING,), "boot", back.on_boot, _GONE_BACK),
)


def _expand() -> dict:
    rows = {}
    for phases, event, handler, nexts in TABLE:
        for phase in phases:
            rows[(phase, event)] = (handler, nexts)
    return rows


ROWS = _expand()
EVENTS = tuple(sorted({row[1] for row in TABLE}))


# Things due at one instant that one call may do: more would be a circle.
MAX_DUE = 64


def step(state, event: tuple, now_ms: int) -> tuple:
    """Return (next state, effects) of one event; the given state stays as it is.

    Args:
        state: a Tx.
        event: (kind, object).
        now_ms: monotonic.

    Raises TransitionError when the table has no row for the state's phase and this event.
    """
    kind, obj = event
    row = ROWS.get((state.phase, kind))
    if row is None:
        raise TransitionError(state.phase, kind)
    new = state.copy()
    new.now_ms = now_ms
    new.event = kind
    new.out = ()
    if kind == "desired":
        new.newest = obj["doc"]
        new.gen = new.newest.gen
        new.issued_ms = max(new.issued_ms, new.newest.issued_ms)
        new.dirty = True
    if kind.endswith("_done") or kind.endswith("_failed"):
        new.op = 0
    row[0](new, obj)
    assert new.phase == state.phase or new.phase in row[1], (state.phase, kind, new.phase)
    _cap(new, state)
    return new, new.out


def _cap(new, state) -> None:
    """Let no deployment go round for ever, whatever the handlers say: the second guard behind their own counters."""
    if new.moves <= new.env.limits.moves or not new.is_busy or new.phase == state.phase:
        return
    if new.phase in BEFORE:
        forward.give_up_moves(new)
    elif new.phase == REVERTING:
        back.give_up_moves(new)


def next_wakeup_ms(state):
    """Return when `timeout` or `probe_due` is due at the latest, or None when only an answer or the server can go
    on.
    """
    due = [at_ms for at_ms in (state.deadline_ms, state.probe_at_ms) if at_ms is not None]
    return min(due) if due else None
