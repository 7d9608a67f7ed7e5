"""Seeded bugs, each with the invariant that it breaks and the test that must fail because of it.

A bug is one wrong line that somebody could write in the product. The kernel's own bugs are taken from
tests/kernel/test_mutants.py, which shows that its suite notices each of them; here each is held against one test.
Bugs that only whole fleets show are in tests/sim/test_mutants.py, the planner's in tests/plan/test_lint.py, those of
the statistics in tests/stats/test_guarantee.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringback.adapters.sql import journal as sql_journal
from ringback.adapters.sql import store as sql_store
from ringback.agent import jobs
from ringback.agent.files import Disk
from ringback.agent.platform.slots import Slots
from ringback.agent.store import ContentStore
from ringback.control import questions
from ringback.health import verdict
from ringback.plan import ladder as ladders
from ringback.plan import route, search
from ringback.server.api import access, gateway
from ringback.server.device.committer import Committer
from ringback.usecases import desire, fleet, tick
from ringback.usecases.device import Device
from ringback_kernel import core, desired
from tests.kernel import test_mutants as kernel

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Seeded:
    """`bug` breaks `invariant`, and `test` (a pytest id) has to notice."""

    invariant: str
    bug: Callable[[Patch], None]
    test: str


# --- on the device ----------------------------------------------------------------------------------------------------


def pointer_is_removed_before_it_is_set(patch: Patch) -> None:
    production = Disk.point

    def point(self: Disk, link: Path, target: str) -> None:
        if link.is_symlink():
            self.remove(link)
        production(self, link, target)

    patch.setattr(Disk, "point", point)


def what_lies_in_the_store_is_believed(patch: Patch) -> None:
    patch.setattr(ContentStore, "check", lambda *_: None)


def slots_are_believed_by_their_names(patch: Patch) -> None:
    patch.setattr(Slots, "_wrong_files", lambda *_: [])


def tidying_up_forgets_the_active_slot(patch: Patch) -> None:
    patch.setattr(Slots, "active_name", lambda _: "")


def freeze_is_forgotten_at_the_start(patch: Patch) -> None:
    production = desired.parse

    def parse(*given: Any) -> Any:
        found = production(*given)
        found.frozen = []
        return found

    patch.setattr(desired, "parse", parse)


def device_in_safe_mode_asks_nobody(patch: Patch) -> None:
    production = core.Core._start_checkin
    patch.setattr(core.Core, "_start_checkin", lambda self: self.tx.safe == "" and production(self))


def device_on_trial_asks_nobody(patch: Patch) -> None:
    production = core.Core._start_checkin
    patch.setattr(core.Core, "_start_checkin", lambda self: self.tx.phase != "trial" and production(self))


def device_with_a_full_disk_asks_nobody(patch: Patch) -> None:
    production = core.Core._start_checkin
    patch.setattr(core.Core, "_start_checkin", lambda self: self._retry_at_ms is None and production(self))


def everything_waits_in_one_lane(patch: Patch) -> None:
    start, wait = jobs.Lanes.start, jobs.Lanes.wait
    patch.setattr(jobs.Lanes, "start", lambda self, lane, work: start(self, jobs.LANES[0], work))
    patch.setattr(jobs.Lanes, "wait", lambda self, timeout_ms: wait(self, min(timeout_ms, 200)))


# --- the plan ---------------------------------------------------------------------------------------------------------


def planner_believes_every_set(patch: Patch) -> None:
    patch.setattr(search.Task, "is_valid", lambda self, chosen: True)


def nobody_checks_constraints(patch: Patch) -> None:
    planner_believes_every_set(patch)
    kernel.constraints_are_not_checked_on_the_device(patch)


def rungs_are_not_asked_whether_they_are_valid(patch: Patch) -> None:
    def compiled(ordered: Any, before: Any, costs_ms: Any, is_valid: Any) -> Any:
        return ladders.compile_ladder(ordered, before, costs_ms, lambda planes: True)

    patch.setattr(route, "compile_ladder", compiled)


def overwritten_versions_are_not_announced(patch: Patch) -> None:
    patch.setattr(route, "_overwrite_doors", lambda *_: [])


def rising_epochs_are_not_announced(patch: Patch) -> None:
    patch.setattr(route, "_epoch_doors", lambda *_: [])


def steps_have_no_way_back(patch: Patch) -> None:
    patch.setattr(route, "_ladder", lambda *_: ladders.EMPTY)


# --- verdicts and rings -----------------------------------------------------------------------------------------------


def young_devices_count_as_matured(patch: Patch) -> None:
    def matured(gate: Any, strata: Any, now_ms: int) -> Any:
        return verdict._summed(stratum.tally for stratum in strata)

    patch.setattr(verdict, "matured_tally", matured)


def ring_is_covered_before_its_devices_report(patch: Patch) -> None:
    patch.setattr(questions, "_not_covered", lambda _: None)


def ring_widens_without_evidence(patch: Patch) -> None:
    patch.setattr(questions, "_fits", lambda *_: True)


def budget_counts_as_a_thousand_times_its_size(patch: Patch) -> None:
    exposure = import_module("ringback.control.exposure")  # the package exports a function of the same name
    production = exposure._limits

    def limits(*given: Any) -> Any:
        return tuple(replace(each, allowed=each.allowed * 1000) for each in production(*given))

    patch.setattr(exposure, "_limits", limits)


def stop_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(fleet.Fleet, "_find_stopped", lambda self: None)


def retry_counts_as_another_failure(patch: Patch) -> None:
    """Evidence of deployments instead of devices: whoever fails tries again, and fails again."""
    production = verdict.evidence_against

    def evidence(gate: Any, strata: Any, now_ms: int) -> float:
        return production(gate, [_twice(each) for each in strata], now_ms)

    patch.setattr(verdict, "evidence_against", evidence)
    patch.setattr("tests.health.test_guarantee_of_the_verdict.RELEASES", 60)  # enough to see it


def _twice(stratum: Any) -> Any:
    again = (replace(each, entered=each.entered + each.failed, failed=2 * each.failed) for each in stratum.cohorts)
    return replace(stratum, cohorts=tuple(again))


def server_offers_what_is_frozen(patch: Patch) -> None:
    patch.setattr(desire.Case, "brings_frozen", lambda self, hop: False)
    patch.setattr(fleet.Fleet, "frozen_on", lambda self, device_class: ())


# --- the server -------------------------------------------------------------------------------------------------------


def commits_are_not_synced(patch: Patch) -> None:
    class Quick:
        def __init__(self, database: Any) -> None:
            self.database = database

        def execute(self, statement: str, *given: Any) -> Any:
            return self.database.execute(statement.replace("synchronous = FULL", "synchronous = NORMAL"), *given)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.database, name)

    production = sql_journal.sqlite3.connect
    patch.setattr(sql_journal.sqlite3, "connect", lambda *given, **options: Quick(production(*given, **options)))


def full_disk_is_acknowledged(patch: Patch) -> None:
    def written(self: Committer, error: Exception | None) -> None:
        production(self, None)

    production = Committer._written
    patch.setattr(Committer, "_written", written)


def record_is_folded_twice(patch: Patch) -> None:
    """Every device forgets how far it was folded."""
    production = Device.restore

    def restore(self: Device, *given: Any) -> None:
        production(self, *given)
        self.applied_no = -1

    patch.setattr(Device, "restore", restore)


def repeated_report_is_folded(patch: Patch) -> None:
    patch.setattr(Device, "is_repeat", lambda self, report: False)


def batches_are_dropped_when_they_are_read(patch: Patch) -> None:
    from ringback.adapters.memory.store import MemoryJournal

    production = MemoryJournal.append

    def append(self: MemoryJournal, first_no: int, batch: bytes) -> None:
        production(self, first_no, batch)
        self.drop(first_no - 1)

    patch.setattr(MemoryJournal, "append", append)


def lease_is_always_free(patch: Patch) -> None:
    patch.setattr(tick.Lease, "is_free", lambda self, now_ms: True)


def store_does_not_look_at_the_generation(patch: Patch) -> None:
    production = sql_store._carry_out

    def carry_out(connection: sa.Connection, change: Any) -> None:
        production(connection, sql_store.Put(change.row) if isinstance(change, sql_store.Advance) else change)

    patch.setattr(sql_store, "_carry_out", carry_out)


def repeated_order_is_carried_out_again(patch: Patch) -> None:
    async def once(context: Any, operation: Any, call: Any, key: str) -> Any:
        answer = await context.desk.run(await gateway._use_case(operation, call))
        return gateway._response(gateway._encode(answer), operation.status)

    patch.setattr(gateway, "_once", once)


# --- tenants and tokens -----------------------------------------------------------------------------------------------


def store_does_not_look_at_the_tenant(patch: Patch) -> None:
    def where(mapping: Any, key: Any) -> Any:
        named = zip(mapping.key, key, strict=False)
        return sa.and_(sa.true(), *(mapping.table.c[name] == value for name, value in named if name != "tenant_id"))

    patch.setattr(sql_store, "_where", where)


def every_token_is_an_operators(patch: Patch) -> None:
    patch.setattr(gateway, "operator_of", lambda context, scope: access.Operator("someone", "admin"))


BRAKES = "tests/kernel/both/test_brakes.py::test_"
TRIAL = "tests/kernel/both/test_trial.py::test_"
LIFE = "tests/kernel/both/test_life.py::test_"
REFUSALS = "tests/kernel/both/test_refusals.py::test_"
VERIFY = "tests/kernel/both/test_verify.py::test_"
KERNEL = "tests/kernel/both/"
CONTRACT = "tests/agent/backends/test_contract.py::test_"
AGENT = "tests/agent/"
REFUSED = "tests/plan/test_refused_releases.py::test_"
PLANNER = "tests/plan/test_planner.py::test_"
CONTROL = "tests/control/"
HEALTH = "tests/health/"
SURVIVAL = "tests/usecases/test_survival.py::test_"
ORDERS = "tests/usecases/test_brakes_and_orders.py::test_"
SERVER = "tests/server/"
ADAPTERS = "tests/adapters/"

SEEDED = (
    Seeded(
        "I1",
        pointer_is_removed_before_it_is_set,
        CONTRACT + "death_at_any_step_of_a_switch_leaves_wholly_old_or_wholly_new",
    ),
    Seeded(
        "I1", kernel.effect_before_journal, KERNEL + "test_crash.py::test_cut_at_each_step_of_good_stories_ends_well"
    ),
    Seeded(
        "I1",
        kernel.running_set_is_assumed_not_read,
        KERNEL + "test_core.py::test_what_runs_is_read_back_and_not_assumed",
    ),
    Seeded("I2", kernel.signature_is_not_checked, VERIFY + "signature_by_another_key_is_arbitrary_software"),
    Seeded("I2", kernel.manifest_is_not_compared, REFUSALS + "manifest_that_contradicts_the_desired_state_is_refused"),
    Seeded(
        "I2",
        what_lies_in_the_store_is_believed,
        AGENT + "test_fetch.py::test_verify_finds_a_byte_that_changed_on_the_disk_and_fetches_it_again",
    ),
    Seeded(
        "I2", slots_are_believed_by_their_names, CONTRACT + "slot_with_other_bytes_is_not_activated_and_is_built_anew"
    ),
    Seeded(
        "I3",
        kernel.constraints_are_not_checked_on_the_device,
        REFUSALS + "set_on_the_way_that_breaks_a_constraint_is_refused",
    ),
    Seeded("I3", planner_believes_every_set, PLANNER + "planes_that_are_only_valid_together_switch_at_one_point"),
    Seeded(
        "I3",
        nobody_checks_constraints,
        "tests/sim/test_world.py::test_a_hop_is_taken_so_that_no_device_ever_runs_an_invalid_set",
    ),
    Seeded("I4", kernel.trial_never_times_out, TRIAL + "trial_without_evidence_reverts_at_its_deadline"),
    Seeded(
        "I4", kernel.trial_time_starts_anew_with_the_agent, TRIAL + "trial_time_is_counted_over_restarts_of_the_agent"
    ),
    Seeded("I4", kernel.starts_in_the_trial_do_not_count, TRIAL + "too_many_unplanned_starts_in_a_trial_revert"),
    Seeded("I4", kernel.missing_reading_is_a_pass, TRIAL + "missing_reading_of_one_rule_is_never_a_pass"),
    Seeded("I5", kernel.first_rung_takes_back_everything, LIFE + "failing_config_takes_back_the_config_alone"),
    Seeded(
        "I5",
        rungs_are_not_asked_whether_they_are_valid,
        PLANNER + "a_model_that_cannot_go_back_alone_takes_the_config_with_it",
    ),
    Seeded("I6", kernel.last_known_good_is_deleted_early, LIFE + "failing_config_takes_back_the_config_alone"),
    Seeded("I6", kernel.previous_is_not_kept, BRAKES + "way_back_is_never_paused"),
    Seeded("I6", tidying_up_forgets_the_active_slot, CONTRACT + "keep_removes_the_rest_but_never_the_active"),
    Seeded(
        "I6",
        overwritten_versions_are_not_announced,
        REFUSED + "a_hop_that_overwrites_the_version_before_the_release_needs_one_way",
    ),
    Seeded(
        "I7",
        kernel.frozen_digest_is_activated,
        BRAKES + "device_that_was_offline_does_not_activate_what_was_frozen_meanwhile",
    ),
    Seeded("I7", freeze_is_forgotten_at_the_start, BRAKES + "freeze_is_remembered_over_a_restart"),
    Seeded(
        "I7",
        server_offers_what_is_frozen,
        ORDERS + "frozen_version_is_not_activated_by_a_device_that_was_offline_when_it_was_frozen",
    ),
    Seeded(
        "I8",
        device_in_safe_mode_asks_nobody,
        BRAKES + "device_that_nothing_helps_stops_its_workload_and_stays_reachable",
    ),
    Seeded("I8", device_on_trial_asks_nobody, TRIAL + "healthy_trial_waits_for_the_uplink_before_it_confirms"),
    Seeded(
        "I8",
        device_with_a_full_disk_asks_nobody,
        KERNEL + "test_journal.py::test_full_disk_keeps_a_deployment_from_going_forward_until_there_is_room",
    ),
    Seeded(
        "I8",
        everything_waits_in_one_lane,
        AGENT + "test_process_parts.py::test_slow_job_of_one_lane_holds_up_no_other_lane",
    ),
    Seeded(
        "I9",
        ring_is_covered_before_its_devices_report,
        CONTROL + "test_decide.py::test_a_ring_waits_for_its_devices_and_says_where_they_are",
    ),
    Seeded(
        "I9",
        ring_widens_without_evidence,
        CONTROL + "test_decide.py::test_a_ring_larger_than_the_evidence_allows_waits_for_evidence_and_says_the_numbers",
    ),
    Seeded(
        "I9",
        young_devices_count_as_matured,
        HEALTH + "test_evidence_and_verdict.py::test_young_devices_certify_nothing",
    ),
    Seeded(
        "I9",
        budget_counts_as_a_thousand_times_its_size,
        CONTROL + "test_parts.py::test_without_evidence_exactly_the_budget_may_be_exposed_in_total_and_in_each_family",
    ),
    Seeded(
        "I9", stop_is_not_looked_at, ORDERS + "stopped_region_activates_nothing_and_goes_on_when_the_stop_is_lifted"
    ),
    Seeded(
        "I10",
        commits_are_not_synced,
        ADAPTERS + "test_journal.py::test_every_commit_is_synced_because_acknowledged_means_on_disk",
    ),
    Seeded(
        "I10",
        full_disk_is_acknowledged,
        SERVER + "test_checkin.py::test_full_disk_acknowledges_nothing_and_recovers_when_there_is_room",
    ),
    Seeded(
        "I10",
        batches_are_dropped_when_they_are_read,
        SURVIVAL + "model_rebuilt_from_store_and_journal_equals_the_one_that_was_lost",
    ),
    Seeded("I10", record_is_folded_twice, SURVIVAL + "folding_twice_and_replaying_what_is_folded_changes_nothing"),
    Seeded("I10", repeated_report_is_folded, SURVIVAL + "repeated_and_outlived_reports_are_answered_but_not_folded"),
    Seeded("I10", lease_is_always_free, SURVIVAL + "two_controllers_never_both_act_on_a_rollout"),
    Seeded(
        "I10",
        store_does_not_look_at_the_generation,
        ADAPTERS + "test_store.py::test_change_of_a_row_that_has_moved_on_fails_and_leaves_everything_as_it_was",
    ),
    Seeded(
        "I10",
        repeated_order_is_carried_out_again,
        SERVER + "test_api.py::test_request_repeated_under_its_key_changes_nothing_and_gets_the_first_answer",
    ),
    Seeded("I11", rising_epochs_are_not_announced, REFUSED + "a_rising_epoch_is_a_door_that_needs_one_way"),
    Seeded("I11", steps_have_no_way_back, PLANNER + "one_model_is_one_hop_with_one_rung"),
    Seeded("I11", kernel.stale_way_back_is_accepted, REFUSALS + "way_back_to_something_else_than_what_runs_is_refused"),
    Seeded(
        "I12",
        retry_counts_as_another_failure,
        HEALTH + "test_guarantee_of_the_verdict.py::"
        "test_a_release_at_its_slo_fails_at_most_alpha_of_the_time_however_often_one_looks",
    ),
    Seeded("I13", kernel.binding_is_not_checked, VERIFY + "document_for_somebody_else_is_refused"),
    Seeded(
        "I13",
        store_does_not_look_at_the_tenant,
        ADAPTERS + "test_store.py::test_one_tenant_never_reads_another_ones_rows",
    ),
    Seeded(
        "I13",
        every_token_is_an_operators,
        SERVER + "test_access.py::test_device_token_opens_no_operator_route_and_an_operator_token_no_check_in",
    ),
)
