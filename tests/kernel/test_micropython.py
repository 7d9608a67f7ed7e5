"""The kernel's own tests once more, on MicroPython, and its size as compiled for a microcontroller."""

import ast
import subprocess

import pytest

from tests.kernel import micropython

# Grows only with a reason: the ESP32 agent adds its drivers to this and has 60 KB for both.
KERNEL_MPY_BYTES_MAX = 57_000
# What no device needs: it checks bytes and never makes canonical ones.
NOT_ON_DEVICES = {"canonical"}
# What a device loads only if its trust folder asks for it, each with a limit of its own.
EXTRA_MPY_BYTES_MAX = {"ed25519": 3_000, "roles": 5_500, "documents": 4_500}
MODULES = sorted(path.stem for path in micropython.BOTH.glob("test_*.py"))

pytestmark = [
    pytest.mark.skipif(bool(micropython.missing()), reason=micropython.missing() or "MicroPython is here"),
    # Seconds of work, but on a crowded machine a process may stand for minutes.
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("module", MODULES)
def test_module_passes_on_micropython_too(module: str) -> None:
    tree = ast.parse((micropython.BOTH / f"{module}.py").read_text())
    count = sum(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in tree.body)

    done = micropython.run("tests/kernel/both/run.py", module)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stdout.splitlines()[-1] == f"{module} {count} passed 0 failed"


def test_runner_on_micropython_notices_a_failing_test(tmp_path) -> None:
    folder = tmp_path / "tests" / "kernel" / "both"
    folder.mkdir(parents=True)
    (folder / "test_bad.py").write_text("def test_that_fails_always():\n    assert 1 == 2\n")

    done = micropython.run("tests/kernel/both/run.py", "test_bad", path=str(tmp_path))

    assert done.returncode == 1 and "FAILED test_bad.test_that_fails_always" in done.stdout


def test_kernel_compiles_for_a_microcontroller_and_stays_small(tmp_path, record_property) -> None:
    sizes = {}
    for source in sorted(micropython.KERNEL.glob("*.py")):
        target = tmp_path / f"{source.stem}.mpy"
        # As the ESP32 build does it: no line numbers, no long path in each file, 31 bits in a small integer.
        options = ["-O3", "-msmall-int-bits=31", "-s", source.stem]
        command = [str(micropython.program("mpy-cross")), *options, "-o", str(target), str(source)]
        subprocess.run(command, check=True, timeout=120)
        if source.stem not in NOT_ON_DEVICES:
            sizes[source.stem] = target.stat().st_size
    for name, limit in EXTRA_MPY_BYTES_MAX.items():
        assert (size := sizes.pop(name)) <= limit, f"{name} {size} bytes"
    record_property("kernel_mpy_bytes", sum(sizes.values()))

    report = ", ".join(f"{name} {size}" for name, size in sorted(sizes.items(), key=lambda item: -item[1]))
    assert sum(sizes.values()) <= KERNEL_MPY_BYTES_MAX, f"{sum(sizes.values())} bytes: {report}"
