"""The door app as real processes: start order, the truth line, hot switches, and each bad edition's own failure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.demo.material import kit as kits
from ringback.demo.material.door import channel, inference
from tests.demo_material.box import Box

MakeBox = Callable[..., Box]


@pytest.fixture
def door(kit: kits.Kit, box: MakeBox) -> Box:
    return box(kit.folders["app-1.1"], face=kit.folders["face-fp32"]).start_all()


def test_27_of_27_people_are_seen_at_the_far_end_of_the_path(door: Box) -> None:
    seen = door.until_looked_at()
    assert (seen["people_seen"], seen["people_total"], seen["false_people"]) == (27, 27, 0)
    assert seen["rejected"] == 0
    latency = door.ask("inference")["latency"]["face"]
    assert latency["n"] >= 45
    assert 0 < latency["p50_us"] <= latency["p95_us"]


def test_every_service_says_who_it_is_and_that_it_is_ready(door: Box) -> None:
    for service, process in door.processes.items():
        health = door.ask(service, "/health")
        assert (health["service"], health["version"], health["interface"]) == (service, "1.1.0", 2)
        assert (health["ready"], health["pid"]) == (True, process.pid)
        assert door.call(service, "GET", "/nothing")[0] == 404


def test_a_model_is_switched_by_its_pointer_without_a_restart_and_the_truth_line_follows(
    kit: kits.Kit, door: Box
) -> None:
    began = {service: door.ask(service, "/health")["started_ms"] for service in door.processes}
    door.until_looked_at()
    for model, seen in (("face-int8-lens-cap", 0), ("face-int8", 27)):
        door.point("face", kit.folders[model])
        assert door.reload("inference")[0] == 200
        door.until(lambda seen=seen: door.until_looked_at()["people_seen"] == seen, f"{seen} of 27 seen by {model}")
        assert door.ask("inference")["model"]["face"] == model
    assert began == {service: door.ask(service, "/health")["started_ms"] for service in door.processes}


def test_the_digest_of_a_model_is_that_of_the_manifest_in_its_slot(kit: kits.Kit, box: MakeBox, tmp_path: Path) -> None:
    slot = tmp_path / "slot"
    slot.mkdir()
    (slot / "model.onnx").symlink_to(kit.folders["face-int8"] / "model.onnx")
    (slot / "manifest.json").write_bytes(kit.packages["face-int8"].manifest)
    one = box(kit.folders["app-1.1"], face=slot)
    one.start("inference")
    assert one.ask("inference")["model"] == {"face": kit.packages["face-int8"].digest}


def test_a_model_that_can_not_be_used_is_refused_and_the_old_one_stays_in_use(
    kit: kits.Kit, door: Box, tmp_path: Path
) -> None:
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "model.onnx").write_bytes(b"this is no model")
    door.point("face", tmp_path / "noise")
    status, refusal = door.reload("inference")
    assert (status, refusal["code"]) == (422, "RB-DOOR-003")
    assert door.ask("inference")["model"]["face"] == "face-fp32"
    assert door.ask("inference", "/health")["ready"] is True
    assert door.until_looked_at()["people_seen"] == 27


def test_a_service_that_starts_on_an_unusable_model_is_up_and_not_ready(box: MakeBox, kit: kits.Kit) -> None:
    one = box(kit.folders["app-1.1"], face=kit.folders["config-good"])
    one.start("inference", wait=False)
    one.until(
        lambda: "model.onnx can't be loaded" in str(one.ask("inference", "/health").get("fault")), "the fault is told"
    )
    assert one.ask("inference", "/health")["ready"] is False


def test_a_config_that_is_valid_and_pauses_the_stream_shows_as_old_frames_and_reverts_in_place(door: Box) -> None:
    door.until_looked_at()
    door.configure({"camera": {"source": "door", "frame_interval_ms": 0}})
    assert [door.reload(service)[0] for service in door.processes] == [200, 200, 200]
    door.until(lambda: door.ask("camera")["age_ms"] > 300, "the camera's last frame gets old")
    assert door.ask("camera")["streaming"] == 0
    door.until(lambda: door.ask("upload")["age_ms"] > 300, "nothing arrives at upload")
    door.configure({"camera": {"source": "door", "frame_interval_ms": 50}})
    assert [door.reload(service)[0] for service in door.processes] == [200, 200, 200]
    door.until(lambda: door.ask("upload")["age_ms"] < 200, "results arrive again")


def test_a_config_that_breaks_the_schema_is_refused_by_every_service_and_changes_nothing(door: Box) -> None:
    door.configure({"camera": {"source": "door", "frame_interval_ms": "100"}})
    for service in door.processes:
        status, refusal = door.reload(service)
        assert (status, refusal["code"]) == (422, "RB-DOOR-001")
        assert "camera.frame_interval_ms: expected integer, found '100'" in refusal["message"]
    assert door.until_looked_at()["people_seen"] == 27


def test_a_camera_that_was_restarted_is_followed_at_once(door: Box) -> None:
    door.until(lambda: door.ask("camera")["frames"] > 60, "the camera is past its first loop")
    before = door.ask("upload")["seq"]
    door.processes["camera"].kill()
    door.processes["camera"].communicate()
    door.start("camera")
    door.until(lambda: door.ask("upload")["seq"] > before + 45, "frames of the new camera arrive")
    assert door.ask("camera")["frames"] < 200


def test_a_covered_lens_shows_as_nobody_seen_while_everything_else_is_well(door: Box) -> None:
    door.until_looked_at()
    door.configure({"camera": {"source": "black", "frame_interval_ms": 10}})
    for service in door.processes:
        door.reload(service)
    door.until(lambda: door.ask("upload")["people_seen"] == 0, "a whole loop of black frames")
    assert door.ask("upload")["people_total"] == 27
    assert door.ask("camera")["age_ms"] < 1000


def test_dropped_log_lines_leave_numbers_missing(door: Box) -> None:
    door.configure({"camera": {"source": "door", "frame_interval_ms": 10}, "upload": {"log_keep_one_in": 3}})
    for service in door.processes:
        door.reload(service)
    start = door.ask("upload")["log_seq"]
    door.until(lambda: door.ask("upload")["log_seq"] > start + 9, "ten more log lines")
    numbers = [number for number, _ in door.ask("upload", f"/logs/after/{start}")["lines"]]
    assert all(number % 3 == 0 for number in numbers)
    far_end = door.ask("upload")
    assert far_end["log_written"] < far_end["log_seq"]
    assert f"seq={numbers[-1]} event=accepted" in (door.run / "upload.log").read_text()


def test_the_debug_option_fills_the_run_folder_with_frames(door: Box) -> None:
    door.configure({"camera": {"source": "door", "frame_interval_ms": 10}, "debug": {"save_frames": True}})
    for service in door.processes:
        door.reload(service)
    saved = door.run / inference.FRAMES_FOLDER
    door.until(lambda: saved.is_dir() and len(list(saved.iterdir())) >= 45, "a loop of frames is on the disk")


def test_an_app_whose_inference_speaks_the_old_interface_is_up_and_nobody_is_seen(kit: kits.Kit, box: MakeBox) -> None:
    one = box(kit.folders["app-old-interface"], face=kit.folders["face-fp32"]).start_all()
    one.until(lambda: one.ask("upload")["rejected"] > 0, "upload rejects results")
    assert all(one.ask(service, "/health")["ready"] for service in one.processes)
    assert one.ask("inference", "/health")["interface"] == 1
    assert one.until_looked_at("inference")["people_seen"] == 27
    far_end = one.ask("upload")
    assert (far_end["accepted"], far_end["people_seen"]) == (0, 0)
    assert "accepts 2" in one.ask("upload", "/logs/after/0")["lines"][0][1]


def test_an_app_with_a_forgotten_file_ends_as_soon_as_inference_starts(kit: kits.Kit, box: MakeBox) -> None:
    one = box(kit.folders["app-crashing"], face=kit.folders["face-fp32"])
    one.start("camera")
    one.start("inference", wait=False)
    _, trace = one.processes["inference"].communicate(timeout=10)
    assert one.processes["inference"].returncode != 0
    assert b"cannot import name 'meter'" in trace


def test_the_leaking_app_grows_with_every_frame(kit: kits.Kit, box: MakeBox) -> None:
    one = box(kit.folders["app-leaking"], face=kit.folders["face-fp32"])
    one.configure({"camera": {"source": "door", "frame_interval_ms": 10}})
    one.start_all()
    start = one.until_looked_at("inference")
    one.until(lambda: one.ask("inference")["frames"] > start["frames"] + 45, "one loop more")
    # 45 tensors of 192 KiB are 8.6 MB; half of it tells the leak from anything else.
    assert one.ask("inference")["rss_kb"] - start["rss_kb"] > 4_000


def test_speech_is_heard_beside_the_faces(kit: kits.Kit, box: MakeBox) -> None:
    if kit.no_voice is not None:
        pytest.skip(f"no speech models: {kit.no_voice.reason}")
    one = box(kit.folders["app-1.1"], face=kit.folders["face-fp32"], voice=kit.folders["voice-6.2"]).start_all()
    heard = one.until_looked_at()
    assert heard["windows"] == 212
    assert heard["speech_ppm"] > 600_000
    assert heard["people_seen"] == 27


def test_a_socket_deeper_than_the_kernel_allows_for_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    folder.mkdir(parents=True)
    path = str(folder / "echo.sock")
    channel.serve_in_thread(path, lambda method, target, body: channel.Reply(200, body, "text/plain"))
    big = bytes(1_000_000)
    assert channel.call(path, "POST", "/", big) == (200, big)
