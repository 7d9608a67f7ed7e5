"""The emulated bootloader does what the genuine one was recorded doing, and a wrong rule does not go unnoticed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ringback.sim.command import command
from ringback.sim.esp32 import bootloader, otadata, vectors
from ringback.sim.esp32.flash import SECTOR_BYTES, Flash, Operation
from ringback.sim.esp32.images import Chip, build_image, refusal
from ringback.sim.esp32.otadata import ABORTED, INVALID, NEW, PENDING_VERIFY, UNDEFINED, VALID
from ringback.sim.esp32.partitions import APP, DATA, FIRST_OTA, TABLE_AT, TEST, Partition, Table, TableRefused, parse

OTADATA = Partition("otadata", DATA, 0, 0xD000, 2 * SECTOR_BYTES)
SLOTS = tuple(Partition(f"ota_{n}", APP, FIRST_OTA + n, 0x10000 * (n + 1), 0x10000) for n in range(2))


class Chip0:
    """A flash whose operations are written down."""

    def __init__(self, entries: tuple[otadata.Entry, ...], parts: tuple[Partition, ...] = (OTADATA, *SLOTS)) -> None:
        self.flash = Flash(0x80000)
        self.flash.load(TABLE_AT, Table(parts).encode())
        for part in parts:
            if part.type == APP:
                self.flash.load(part.at, build_image(part.label.encode()))
        for index, entry in enumerate(entries):
            self.flash.load(OTADATA.at + index * SECTOR_BYTES, entry.encode())
        self.size_bytes = self.flash.size_bytes
        self.read = self.flash.read
        self.done: list[str] = []

    def do(self, operation: Operation) -> None:
        self.done.append(str(operation))
        self.flash.apply(operation)

    def boot(self) -> str:
        found = bootloader.boot(self, lambda data: refusal(data, Chip()))
        return found.partition.label if found.partition else found.note

    def entry(self, index: int) -> str:
        return str(otadata.decode(self.flash.read(OTADATA.at + index * SECTOR_BYTES, 32)))


def test_every_recording_of_the_genuine_bootloader_is_reproduced() -> None:
    result = vectors.check(vectors.recorded())
    assert (result.passed, result.total, result.mismatches) == (384, 384, ())


RULES = {
    "a pending entry is not aborted": ("_abort_pending", lambda self, index, entry: entry),
    "an initial otadata is not recorded": ("_record_first", lambda self, index: None),
    "a choice without usable entries is slot 0": ("_choose", lambda self: 0),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_bootloader_without_one_of_its_rules_fails_recordings(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootloader._Bootloader, *RULES[rule])
    assert vectors.check(vectors.recorded()).passed < 384


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.seq == otadata.BLANK_WORD or entry.state == ABORTED,
        lambda entry: entry.seq == otadata.BLANK_WORD or entry.state == INVALID,
        lambda entry: entry.state in (INVALID, ABORTED),
        lambda entry: entry.seq == otadata.BLANK_WORD or entry.state not in (NEW, PENDING_VERIFY, VALID, UNDEFINED),
    ],
    ids=["INVALID counts", "ABORTED counts", "blank counts", "unknown states do not count"],
)
def test_a_wrong_idea_of_excluded_entries_fails_recordings(change: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otadata.Entry, "is_excluded", property(change))
    assert vectors.check(vectors.recorded()).passed < 384


def test_another_file_of_the_recorders_form_can_be_checked(tmp_path: Path) -> None:
    one = vectors.recorded()[0]
    row = {
        "ota_slots": len(one.bootable),
        "factory": one.factory is not None,
        "bootable": list(one.bootable),
        "factory_bootable": one.factory,
        "otadata": [raw.hex() for raw in one.before],
        "boots": one.boots if one.boots != "-" else None,
        "otadata_after": [raw.hex() for raw in one.after],
    }
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps([row]))
    bad.write_text(json.dumps([row, {**row, "boots": "F"}]))
    run = CliRunner().invoke(command, ["esp32", "--lives", "0", "--vectors", str(good), "--json"])
    assert (run.exit_code, json.loads(run.stdout)["vectors"]) == (0, {"passed": 1, "total": 1})
    run = CliRunner().invoke(command, ["esp32", "--lives", "0", "--vectors", str(bad)])
    assert run.exit_code == 1
    assert "1 of 2 recordings reproduced" in run.stdout
    assert "recording 1: expected boots F" in run.stdout


@pytest.mark.parametrize("text", ["", "{}", "[{}]", '[{"ota_slots": 2, "bootable": [true], "factory": false}]'])
def test_a_file_of_another_form_is_refused_with_its_code(text: str, tmp_path: Path) -> None:
    file = tmp_path / "vectors.json"
    file.write_text(text)
    run = CliRunner().invoke(command, ["esp32", "--lives", "0", "--vectors", str(file)])
    assert run.exit_code == 2
    assert "RB-SIM-401" in run.stderr


def test_a_new_image_gets_one_trial_boot_and_then_the_old_one_comes_back() -> None:
    chip = Chip0((otadata.entry(1, VALID), otadata.entry(2, NEW)))
    assert (chip.boot(), chip.entry(1)) == ("ota_1", "seq 2 PENDING_VERIFY")
    assert (chip.boot(), chip.entry(1)) == ("ota_0", "seq 2 ABORTED")
    assert chip.done == ["erase 0xe000", "write 0xe000+32"] * 2


def test_an_unknown_state_boots_without_protection_for_ever() -> None:
    chip = Chip0((otadata.entry(1, VALID), otadata.entry(2, 0xFFFF0001)))
    assert [chip.boot() for _ in range(3)] == ["ota_1"] * 3
    assert chip.done == []


def test_an_aborted_image_boots_when_nothing_else_verifies() -> None:
    chip = Chip0((otadata.entry(1, VALID), otadata.entry(2, ABORTED)))
    chip.flash.load(SLOTS[0].at, b"\xff" * 16)
    assert chip.boot() == "ota_1"


def test_the_test_app_boots_last_and_a_chip_without_images_stays_dead() -> None:
    spare = Partition("test", APP, TEST, 0x30000, 0x10000)
    chip = Chip0((otadata.entry(1, VALID),), (OTADATA, *SLOTS, spare))
    for slot in SLOTS:
        chip.flash.load(slot.at, b"\xff" * 16)
    assert chip.boot() == "test"
    chip.flash.load(spare.at, b"\xff" * 16)
    assert chip.boot() == "no bootable app partition"


def test_a_damaged_partition_table_is_refused_with_the_rule_it_breaks() -> None:
    table = Table((OTADATA, *SLOTS)).encode()
    assert [part.label for part in parse(table, 0x80000).partitions] == ["otadata", "ota_0", "ota_1"]
    cases = {
        bytes([table[0] ^ 1]) + table[1:]: "begins with",
        table[:12] + b"x" + table[13:]: "MD5",
        table[:96] + table[96:128] * 2 + table[160:]: "second MD5",
        table[:128]: "no terminator",
    }
    for raw, word in cases.items():
        with pytest.raises(TableRefused, match=word):
            parse(raw, 0x80000)
    with pytest.raises(TableRefused, match="the chip at"):
        parse(table, 0x20000)
    chip = Chip0(())
    chip.flash.load(TABLE_AT, table[:128] + b"\0" * 32)
    assert chip.boot().startswith("partition table")
