"""Planes and services of a box: what a switch restarts and leaves alone, what survives the agent. Real processes."""

import os
import signal

import pytest

from ringback.agent import processes
from ringback.agent.errors import PortError
from ringback.agent.platform.process import ProcessBackend
from tests.agent.fixtures import artifacts
from tests.agent.fixtures.box import BoxBench, until

FACE_1 = artifacts.model("1.0.0")
FACE_2 = artifacts.model("2.0.0", latency_us=900)
DOOR = artifacts.config("1.0.0", source="door")


@pytest.fixture
def bench(tmp_path):
    benches = [BoxBench(tmp_path)]
    yield Handle(benches)
    benches[-1].end()
    for child in [child for former in benches for child in former.children]:
        child.wait(5)
    assert list(processes.marked(tmp_path / "run")) == []


class Handle:
    """The newest agent on the folder."""

    def __init__(self, benches):
        self._benches = benches

    def __getattr__(self, name):
        return getattr(self._benches[-1], name)

    def next_agent(self):
        self._benches.append(self._benches[-1].again())


def installed(bench, **edition):
    bench.install(artifacts.app(**edition), FACE_1, DOOR)


def test_first_set_starts_all_services_in_order(bench):
    installed(bench)

    started = [fields["service"] for event, fields in bench.events if event == "service_started"]
    assert started == ["camera", "inference", "upload"]
    assert all(state.is_up for state in bench.supervisor.states().values())
    assert {plane: item.version for plane, item in bench.box.running().items()} == {
        "app": "1.0.0",
        "model/face": "1.0.0",
        "config": "1.0.0",
    }


def test_model_switch_restarts_nothing_and_is_in_use(bench):
    installed(bench)
    before = bench.pids()

    bench.install(FACE_2)

    assert bench.pids() == before
    metrics = bench.values("consistency")
    assert metrics["versions_ok"] == 1


def test_config_switch_restarts_nothing(bench):
    installed(bench)
    before = bench.pids()

    bench.install(artifacts.config("1.1.0", source="none"))

    assert bench.pids() == before
    until(lambda: bench.values("input")["age_ms"] > 100)


def test_config_that_a_service_refuses_is_named_and_can_go_back(bench):
    installed(bench)
    before = bench.pids()

    with pytest.raises(PortError) as caught:
        bench.install(artifacts.config("1.1.0", source="garden"))
    bench.activate(*bench.give(DOOR), forward=False)

    assert caught.value.code == "RB-AGENT-034"
    assert "garden" in caught.value.message
    assert bench.pids() == before
    assert bench.box.running()["config"].version == "1.0.0"


def test_service_that_does_not_answer_a_reload_is_started_anew_on_the_way_back(bench, monkeypatch):
    monkeypatch.setattr("ringback.agent.platform.box.RELOAD_TIMEOUT_MS", 300)
    installed(bench)
    bench.install(artifacts.config("1.1.0", deaf_to_reload=True))
    before = bench.pids()

    bench.activate(*bench.give(DOOR), forward=False)

    after = bench.pids()
    assert all(after[name] != before[name] for name in before)
    assert bench.values("service_speaks")["ok"] == 1


def test_app_switch_restarts_its_services_from_the_new_slot(bench):
    installed(bench)
    before = bench.pids()

    bench.install(artifacts.app("1.1.0"))

    assert not set(bench.pids().values()) & set(before.values())
    assert bench.read("consistency").values["versions_ok"] == 1


def test_activating_what_already_runs_restarts_nothing(bench):
    installed(bench)
    before = bench.pids()

    installed(bench)

    assert bench.pids() == before


def test_app_that_does_not_start_is_named_with_its_last_words_and_can_go_back(bench):
    installed(bench)

    with pytest.raises(PortError) as caught:
        bench.install(artifacts.app("1.1.0", does_not_start="inference"))
    bench.activate(*bench.give(artifacts.app()), forward=False)

    assert caught.value.code == "RB-AGENT-033"
    assert "this edition lacks a library" in caught.value.message
    assert bench.values("service_up") == {"up": 1, "restarts": 0}
    assert bench.box.running()["app"].version == "1.0.0"


def test_app_that_never_gets_ready_is_given_its_time_only(bench):
    installed(bench)

    with pytest.raises(PortError) as caught:
        bench.install(artifacts.app("1.1.0", never_ready="upload", ready_ms=400))

    assert caught.value.code == "RB-AGENT-032"
    assert "400 ms" in caught.value.message


def test_joint_switch_never_shows_a_new_plane_to_an_old_process(bench, monkeypatch):
    installed(bench)
    alive_at_switch = []
    switch = ProcessBackend.switch

    def watched(backend, digest):
        alive_at_switch.extend(state.name for state in bench.supervisor.states().values() if state.is_up)
        switch(backend, digest)

    monkeypatch.setattr(ProcessBackend, "switch", watched)
    bench.install(artifacts.app("1.1.0"), FACE_2)

    assert alive_at_switch == []
    assert bench.values("consistency")["versions_ok"] == 1


def test_group_with_a_missing_slot_switches_nothing(bench):
    installed(bench)
    present, absent = bench.give(FACE_2), bench.give(artifacts.config("9.0.0"))
    bench.box.stage(present)

    with pytest.raises(PortError) as caught:
        bench.activate(*present, *absent)

    assert caught.value.code == "RB-AGENT-031"
    assert bench.box.running()["model/face"].version == "1.0.0"


def test_plane_without_a_backend_is_refused(bench):
    with pytest.raises(PortError) as caught:
        bench.install(artifacts.build("kernel", "firmware", "linux", "6.1.0", {}))

    assert caught.value.code == "RB-AGENT-030"


def test_crashed_service_is_started_again_and_counted(bench):
    installed(bench)
    pid = bench.pids()["camera"]

    os.kill(pid, signal.SIGKILL)

    until(lambda: bench.pids()["camera"] not in {0, pid})
    until(lambda: bench.values("service_up", "camera") == {"up": 1, "restarts": 1})
    assert "signal 9" in bench.supervisor.states()["camera"].last_exit


def test_restarts_before_a_change_are_not_held_against_it(bench):
    installed(bench)
    pid = bench.pids()["camera"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: bench.values("service_up", "camera")["restarts"] == 1)

    bench.install(FACE_2)

    assert bench.values("service_up", "camera")["restarts"] == 0


def test_services_outlive_the_agent_and_are_adopted(bench):
    installed(bench)
    before = bench.pids()

    bench.next_agent()

    assert bench.pids() == before
    adopted = [fields["service"] for event, fields in bench.events if event == "service_adopted"]
    assert sorted(adopted) == ["camera", "inference", "upload"]


def test_adopted_service_that_ends_is_started_again(bench):
    installed(bench)
    bench.next_agent()
    pid = bench.pids()["upload"]

    os.kill(pid, signal.SIGKILL)

    until(lambda: bench.pids()["upload"] not in {0, pid})


def test_service_whose_pid_file_was_lost_is_adopted_by_its_marks(bench):
    installed(bench)
    before = bench.pids()
    (bench.folder / "run" / "camera.pid").unlink()

    bench.next_agent()

    assert bench.pids() == before


def test_pid_file_of_another_boot_or_process_is_not_believed(bench):
    installed(bench)
    record = (bench.folder / "run" / "camera.pid").read_text()
    path = bench.folder / "run" / "ghost.pid"
    path.write_text(record.replace('"boot_id": "b', '"boot_id": "c').replace(str(bench.pids()["camera"]), "1"))
    (bench.folder / "run" / "camera.pid").write_text("{ torn")

    bench.next_agent()

    assert all(state.is_up for state in bench.supervisor.states().values())
    assert os.path.exists("/proc/1")


def test_services_of_a_slot_that_is_no_longer_active_are_ended_by_the_next_agent(bench):
    installed(bench)
    old = bench.pids()
    bench.supervisor.close()
    # What a crash between pointer and restart leaves: services of the old slot, the pointer on the new one.
    new = bench.give(artifacts.app("1.1.0"))
    bench.box.stage(new)
    bench.box._app.switch(new[0].digest)

    bench.next_agent()

    assert not set(bench.pids().values()) & set(old.values())
    assert bench.values("consistency")["versions_ok"] == 1


def test_safe_mode_stops_the_workload_and_leaves_it_stopped(bench):
    installed(bench)

    bench.box.safe_mode(True)
    bench.install(FACE_2)
    states = bench.supervisor.states()
    bench.box.safe_mode(False)

    assert states == {}
    assert bench.values("service_up") == {"up": 1, "restarts": 0}
    assert bench.values("consistency")["versions_ok"] == 1


def test_stop_ends_services_in_reverse_order(bench):
    installed(bench)
    bench.events.clear()

    bench.supervisor.stop_all()

    stopped = [fields["service"] for event, fields in bench.events if event == "service_stopped"]
    assert stopped == ["upload", "inference", "camera"]


def test_restart_command_restarts_that_service_alone(bench):
    installed(bench)
    before = bench.pids()

    result = bench.box.command("restart", "upload")

    after = bench.pids()
    assert result.ok
    assert {name for name in before if before[name] != after[name]} == {"upload"}


def test_commands_that_cannot_be_run_say_why(bench):
    for kind, arg, code in [
        ("restart", "", "RB-AGENT-035"),
        ("rm", "-rf", "RB-AGENT-050"),
        ("restart", "x", "RB-PROBE-009"),
    ]:
        with pytest.raises(PortError) as caught:
            bench.box.command(kind, arg)
        assert caught.value.code == code


def test_bundle_holds_states_and_no_more_than_its_limit(bench):
    installed(bench)

    result = bench.box.command("bundle", "")

    assert result.ok
    assert b'"camera"' in (bench.folder / "bundle.json").read_bytes()


def test_commit_keeps_what_is_named_and_tidies_the_rest(bench):
    installed(bench)
    bench.install(FACE_2)
    bench.install(artifacts.model("3.0.0", latency_us=800))

    bench.box.commit({"model/face": [FACE_2.digest]})

    slots = {path.name for path in (bench.folder / "planes/model/face/slots").iterdir()}
    assert slots == {FACE_2.digest[7:23], artifacts.model("3.0.0", latency_us=800).digest[7:23]}
    assert bench.box.running()["app"].version == "1.0.0"


def test_output_that_grows_too_long_is_cut_while_it_is_written(tmp_path):
    from ringback.agent import supervisor

    path = tmp_path / "noisy.log"
    with open(path, "ab", buffering=0) as service:
        service.write(b"x" * (supervisor.OUTPUT_CAP_BYTES + 10))
        supervisor.cut_output(path)
        service.write(b"after\n")

    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "noisy.log.1").stat().st_size == supervisor.OUTPUT_CAP_BYTES // 2


def test_service_whose_output_cannot_be_kept_runs_all_the_same(bench):
    installed(bench)
    bench.folder.joinpath("logs").rename(bench.folder / "gone")

    bench.box.command("restart", "camera")

    assert bench.values("service_up") == {"up": 1, "restarts": 0}
    assert ("output_lost", {"service": "camera", "error": "No such file or directory"}) in bench.events


def test_ending_the_workload_wins_against_a_start_in_another_thread(bench):
    installed(bench)

    bench.supervisor.end_workload()
    with pytest.raises(PortError) as caught:
        bench.supervisor.converge(bench.box._app.launches(), is_strict=True)

    assert caught.value.code == "RB-AGENT-036"
    assert not any(state.is_up for state in bench.supervisor.states().values())
