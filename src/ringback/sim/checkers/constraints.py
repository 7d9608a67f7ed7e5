"""I3: at every instant the active planes satisfy each other's constraints.

Evaluates constraints by its own lines: comma lists of comparisons on three numbers. Capabilities (`cap:`) are the
planner's business and not an invariant of the running set.
"""

from ringback.sim.facts import Activated, Booted, Fact, Published, Violation

_OPERATORS = (">=", "<=", "==", "!=", ">", "<")


class ConstraintChecker:
    """Looks at the whole set after every switch and every boot."""

    def __init__(self) -> None:
        self._artifacts: dict[str, Published] = {}

    def see(self, fact: Fact) -> list[Violation]:
        if isinstance(fact, Published):
            self._artifacts[fact.digest] = fact
        elif isinstance(fact, Activated | Booted):
            broken = self.broken(dict(fact.running))
            return [Violation("I3", fact.at_ms, fact.device, text) for text in broken]
        return []

    def overdue(self, now_ms: int) -> list[Violation]:
        return []

    def broken(self, running: dict[str, str]) -> list[str]:
        """What a set (digest by plane) breaks, in words."""
        versions = {
            plane: self._artifacts[digest].version for plane, digest in running.items() if digest in self._artifacts
        }
        found = []
        for plane, digest in sorted(running.items()):
            artifact = self._artifacts.get(digest)
            for other, text in sorted(artifact.requires.items()) if artifact else ():
                if other.startswith("cap:"):
                    continue
                if not is_satisfied(text, versions.get(other, "")):
                    has = versions.get(other, "nothing")
                    found.append(f"{plane} {versions.get(plane)} needs {other} {text}, and {has} is active")
        return found


def is_satisfied(constraint: str, version: str) -> bool:
    """Whether a version ("" = the plane is empty) satisfies a comma list such as ">=1.1,<2"."""
    if not version:
        return False
    return all(_holds(part.strip(), version) for part in constraint.split(","))


def _holds(part: str, version: str) -> bool:
    operator = next(op for op in _OPERATORS if part.startswith(op))
    left, right = _key(version), _key(part[len(operator) :].strip())
    order = (left > right) - (left < right)
    return {">=": order >= 0, "<=": order <= 0, "==": order == 0, "!=": order != 0, ">": order > 0, "<": order < 0}[
        operator
    ]


def _key(version: str) -> tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]:
    """Sorts as SemVer does: missing parts are 0, build is ignored, a prerelease is below its release."""
    core, _, pre = version.partition("+")[0].partition("-")
    numbers = [int(number) for number in core.split(".")] + [0, 0]
    names = tuple((0, int(n), "") if n.isdigit() else (1, 0, n) for n in pre.split(".")) if pre else ()
    return numbers[0], numbers[1], numbers[2], 0 if pre else 1, names
