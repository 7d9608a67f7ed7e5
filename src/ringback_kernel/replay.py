"""Compares what a model decided on the golden samples with what it should decide.

Two questions, never mixed: *fidelity* asks whether this device reproduces the build host's output of this very model
(it catches a wrong app, runtime or NPU); *quality* asks whether the decisions agree with labels or a trusted reference
(it catches a bad model). Decisions are compared, not raw tensors: quantised and NPU outputs never match bit by bit.
A missing or short output is disagreement, never agreement.
"""

from ringback_kernel import errors
from ringback_kernel.errors import GoldenError

PPM = 1000000
MAX_SAMPLES = 4096


def compare(golden: dict, output: dict) -> dict:
    """Return {"fidelity_ppm", "quality_ppm", "n"}: agreement in parts per million over the golden samples.

    golden: the content of golden.json; output: {"decisions": [int], "values": [[int ppm]]} of the replayed app.
    Raises GoldenError RB-GOLDEN-001 when the golden set itself cannot be read.
    """
    fidelity = golden.get("fidelity")
    quality = golden.get("quality")
    if not isinstance(fidelity, dict) or not isinstance(quality, dict):
        raise GoldenError(errors.GOLDEN_SET, "a golden set needs the objects fidelity and quality")
    expected = _ints(fidelity.get("decisions"), "fidelity.decisions")
    labels = _ints(quality.get("decisions"), "quality.decisions")
    if not expected or len(expected) != len(labels) or len(expected) > MAX_SAMPLES:
        raise GoldenError(
            errors.GOLDEN_SET,
            "a golden set has 1 to 4096 samples with a label each, found %d and %d" % (len(expected), len(labels)),
        )
    decisions = output.get("decisions")
    if not isinstance(decisions, list):
        decisions = []
    agreement = _agreement(expected, decisions)
    if not _values_close(fidelity, output.get("values")):
        agreement = min(agreement, fidelity.get("min_agree_ppm", PPM) - 1)
    return {"fidelity_ppm": max(0, agreement), "quality_ppm": _agreement(labels, decisions), "n": len(expected)}


def _ints(values, name: str) -> list:
    if not isinstance(values, list):
        raise GoldenError(errors.GOLDEN_SET, name + " is no list")
    for value in values:
        if not isinstance(value, int):
            raise GoldenError(errors.GOLDEN_SET, name + " holds " + repr(value)[:40] + ", expected integers")
    return values


def _agreement(expected: list, decisions: list) -> int:
    same = 0
    for index in range(min(len(expected), len(decisions))):
        if decisions[index] == expected[index]:
            same += 1
    return same * PPM // len(expected)


def _values_close(fidelity: dict, values) -> bool:
    wanted = fidelity.get("values")
    limit = fidelity.get("max_mean_abs_ppm")
    if not wanted or limit is None:
        return True
    if not isinstance(values, list) or len(values) != len(wanted):
        return False
    total = 0
    count = 0
    for index in range(len(wanted)):
        if not isinstance(values[index], list) or len(values[index]) != len(wanted[index]):
            return False
        for place in range(len(wanted[index])):
            if not isinstance(values[index][place], int):
                return False
            total += abs(values[index][place] - wanted[index][place])
            count += 1
    return count == 0 or total <= limit * count
