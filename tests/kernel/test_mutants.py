"""Seeded bugs: each is put into the running kernel, and the suite of the kernel must notice it.

A mutant nobody notices means that a rule is written down and not checked. Every mutant is one wrong line that
somebody could write; its name says which.
"""

import importlib
from collections.abc import Callable, Iterator

import pytest

from ringback_kernel import back, commands, core, desired, forward, gates, journal, planes, rest, trial, verify
from tests.kernel import micropython
from tests.kernel.both import crash, stories

# Seconds of work; a crowded machine may stand still for minutes.
pytestmark = pytest.mark.timeout(300)

Mutate = Callable[[pytest.MonkeyPatch], None]


def confirm_without_probe_pass(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trial.gates, "judge", lambda *_: ("PASS", None, None))


def missing_reading_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    real = gates.is_failing
    patch.setattr(gates, "is_failing", lambda *given: bool(real(*given)))


def failed_probe_is_no_failure(patch: pytest.MonkeyPatch) -> None:
    real = gates.is_failing
    patch.setattr(
        gates, "is_failing", lambda rule, reading, *rest_: real(rule, dict(reading or {}, code="") or None, *rest_)
    )


def effect_before_journal(patch: pytest.MonkeyPatch) -> None:
    """The record is written at the next step: a cut in between finds a device that was changed and knows nothing of
    it.
    """
    real = core.Core._write

    def late(self, tx):
        postponed, self.postponed = getattr(self, "postponed", None), tx
        return postponed is None or real(self, postponed)

    patch.setattr(core.Core, "_write", late)


def no_sync_after_append(patch: pytest.MonkeyPatch) -> None:
    class Lazy:
        def __init__(self, storage):
            self.storage = storage

        def __getattr__(self, name):
            return (lambda _: None) if name == "sync" else getattr(self.storage, name)

    real = journal.Journal.__init__
    patch.setattr(journal.Journal, "__init__", lambda self, storage, size: real(self, Lazy(storage), size))


def append_after_a_torn_tail(patch: pytest.MonkeyPatch) -> None:
    real = journal.Journal.load

    def load(self):
        found = real(self)
        self.must_switch = self.must_switch and not self.current
        return found

    patch.setattr(journal.Journal, "load", load)


def broken_record_ends_the_file(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal._File, "_next_valid", lambda *_: 0)


def crc_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    real = journal._parse

    def parse(data, at):
        patch.setattr(journal, "_crc", lambda _: data[-4:])
        return real(data, at)

    patch.setattr(journal, "_parse", parse)


def planned_starts_count_too(patch: pytest.MonkeyPatch) -> None:
    real = trial.on_boot
    _row(patch, "trial", "boot", lambda tx, _obj: real(tx, {"planned": False}))


def starts_at_rest_count_too(patch: pytest.MonkeyPatch) -> None:
    def boot(tx, _obj):
        tx.boots += 1
        if tx.boots > tx.env.limits.trial_boots:
            tx.deploy = {"gen": 1, "release": "", "rollout": "", "attempt": 1}
            back.begin(tx, {"code": "RB-TX-012", "plane": "", "drill": False, "text": "", "rule": ""})

    _row(patch, "confirmed", "boot", boot)


def starts_in_the_trial_do_not_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trial, "_too_many_boots", lambda _: False)


def failed_memory_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "remember_failed", lambda *_: None)


def failed_memory_ignores_the_attempt(patch: pytest.MonkeyPatch) -> None:
    real = rest._objection

    def objection(tx, wanted):
        attempt, wanted.attempt = wanted.attempt, 0
        found = real(tx, wanted)
        wanted.attempt = attempt
        return found

    patch.setattr(rest, "_objection", objection)


def drill_is_remembered_as_a_failure(patch: pytest.MonkeyPatch) -> None:
    real = back._done

    def done(tx):
        tx.cause = dict(tx.cause, drill=False)
        real(tx)

    patch.setattr(back, "_done", done)


def drill_is_never_injected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gates, "named", lambda *_: None)


def older_generation_is_accepted(patch: pytest.MonkeyPatch) -> None:
    real = verify.director

    def director(raw, trust, expected, limit):
        expected.generation = 0
        return real(raw, trust, expected, limit)

    patch.setattr(verify, "director", director)


def equal_generation_with_other_bytes_is_accepted(patch: pytest.MonkeyPatch) -> None:
    real = verify.director

    def director(raw, trust, expected, limit):
        expected.generation -= 1
        return real(raw, trust, expected, limit)

    patch.setattr(verify, "director", director)


def signature_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verify.Trust, "check", lambda *_: None)


def binding_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verify, "_check_binding", lambda *_: None)


def floor_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(desired, "check_floors", lambda *_: None)


def floor_rises_at_the_activation(patch: pytest.MonkeyPatch) -> None:
    real = trial.activate

    def activate(tx):
        tx.floors = {plane: target["epoch"] for plane, target in tx.hand.targets.items()}
        real(tx)

    patch.setattr(trial, "activate", activate)


def hold_time_is_ignored(patch: pytest.MonkeyPatch) -> None:
    real = desired.read

    def read(*given):
        found = real(*given)
        found.hold_ms = 0
        return found

    patch.setattr(desired, "read", read)


def trial_time_starts_anew_with_the_agent(patch: pytest.MonkeyPatch) -> None:
    real = trial.on_boot

    def boot(tx, obj):
        tx.elapsed_ms = 0
        real(tx, obj)

    _row(patch, "trial", "boot", boot)


def trial_never_times_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trial, "_set_deadline", lambda _: None)


def first_rung_takes_back_everything(patch: pytest.MonkeyPatch) -> None:
    real = back.begin
    patch.setattr(back, "begin", lambda tx, cause, **_: real(tx, cause, whole=True))


def ladder_ends_after_its_first_rung(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(back, "_next", back._give_up)


def whole_old_set_is_judged_by_the_new_rules(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(back, "_rules", lambda tx: gates.at_stage(tx.hand.rules, "trial"))


def mixed_set_needs_no_hold_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(back, "is_whole", lambda _: True)


def last_known_good_is_deleted_early(patch: pytest.MonkeyPatch) -> None:
    real = trial._begin

    def begin(tx):
        real(tx)
        tx.observe("commit", {"keep": {plane: [pair[1]] for plane, pair in tx.changed.items()}})

    patch.setattr(trial, "_begin", begin)


def previous_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    real = rest.commit

    def commit(tx):
        tx.previous = {}
        real(tx)

    patch.setattr(rest, "commit", commit)


def frozen_digest_is_activated(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "is_frozen", lambda *_: "")


def offline_device_activates_anyway(patch: pytest.MonkeyPatch) -> None:
    _row(patch, "announced", "timeout", lambda tx, _obj: trial.activate(tx))


def pause_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "is_way_back", lambda *_: True)


def way_back_is_paused_too(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "is_way_back", lambda *_: False)


def stale_way_back_is_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rest, "_stale", lambda *_: None)


def constraints_are_not_checked_on_the_device(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forward, "_first_broken", lambda _: None)


def manifest_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(forward, "_manifest_objection", lambda *_: None)


def outcome_is_overwritten_unheard(patch: pytest.MonkeyPatch) -> None:
    real = rest.consider

    def consider(tx):
        tx.acked = True
        real(tx)

    patch.setattr(rest, "consider", consider)


def outage_blames_the_release(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(back, "NO_BLAME", ())


def lost_uplink_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(trial, "_misses_uplink", lambda _: False)


def command_is_repeated_after_a_cut(patch: pytest.MonkeyPatch) -> None:
    def settle(tx, _was_own):
        tx.cmds = ()
        tx.cmd_hi = 0

    patch.setattr(commands, "settle", settle)


def safe_mode_is_forgotten_at_the_start(patch: pytest.MonkeyPatch) -> None:
    def boot(tx, _obj):
        tx.safe = ""

    _row(patch, "safe_mode", "boot", boot)


def answer_to_an_older_effect_is_taken(patch: pytest.MonkeyPatch) -> None:
    real = core.Core.handle
    patch.setattr(core.Core, "handle", lambda self, event, now_ms: real(self, _with_op(self, event), now_ms))


def _with_op(brain, event):
    kind, obj = event
    return (kind, dict(obj, op=brain.tx.op)) if kind in core._ANSWERS and brain.tx.op else event


def running_set_is_assumed_not_read(patch: pytest.MonkeyPatch) -> None:
    real = planes.take_running

    def take(tx, running):
        wanted = tx.changed if tx.phase == "activating" else {}
        real(
            tx, {plane: [wanted[plane][1], found[1]] if plane in wanted else found for plane, found in running.items()}
        )

    patch.setattr(planes, "take_running", take)


def _row(patch: pytest.MonkeyPatch, phase: str, event: str, handler) -> None:
    rows = importlib.import_module("ringback_kernel.transaction").ROWS
    patch.setitem(rows, (phase, event), (handler, rows[(phase, event)][1] + ("confirmed", "reverted", "trial")))


MUTANTS: tuple[Mutate, ...] = tuple(
    found
    for name, found in sorted(globals().items())
    if callable(found)
    and getattr(found, "__module__", "") == __name__
    and not name.startswith(("_", "test", "suite"))
    and getattr(found, "__annotations__", {}).keys() == {"patch", "return"}
)


def suite() -> Iterator[Callable[[], None]]:
    """The kernel's own tests and a thin crash exploration, quick ones first."""
    for path in sorted(micropython.BOTH.glob("test_*.py"), key=lambda path: path.stem in ("test_crash", "test_ecdsa")):
        module = importlib.import_module(f"tests.kernel.both.{path.stem}")
        yield from (found for name, found in sorted(vars(module).items()) if name.startswith("test_"))


def is_noticed() -> str:
    """Run the suite until something fails; returns its name, or an empty text."""
    for test in suite():
        try:
            test()
        except Exception:  # whatever it is: the suite has noticed
            return f"{test.__module__.rpartition('.')[2]}.{test.__name__}"
    return ""


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda mutate: mutate.__name__)
def test_seeded_bug_is_noticed_by_the_suite(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)

    assert is_noticed(), f"{mutate.__name__} went unnoticed"


def test_crash_explorer_notices_a_journal_that_lags_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    effect_before_journal(monkeypatch)

    world = crash.live(stories.good_all)

    assert any("while the journal says" in each for each in world.violations)
