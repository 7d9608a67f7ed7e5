"""`python -m ringback.demo.material.measure [--json]`: prints what the demo's models do here, under each app."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from ringback.demo.material import kit
from ringback.demo.material.measurements import Row


def lines(rows: Sequence[Row]) -> list[str]:
    """The table for people."""
    head = f"{'model':22} {'app':7} {'bytes':>9} {'p50 us':>7} {'p95 us':>7} {'load KB':>8} {'found':>9} {'false':>5}"
    found = [f"{head} {'quality':>8} {'fidelity':>8}  replay"]
    for one in rows:
        shares = f"{one.quality_ppm / 10_000:7.1f}% {one.fidelity_ppm / 10_000:7.1f}%"
        counts = f"{one.seen:>4}/{one.seen_total:<4} {one.false_people:>5}"
        cost = f"{one.size_bytes:>9} {one.p50_us:>7} {one.p95_us:>7} {one.load_kb:>8}"
        found.append(f"{one.model:22} {one.app:7} {cost} {counts} {shares}  {'pass' if one.passes else 'FAIL'}")
    return found


def main(argv: Sequence[str]) -> int:
    """Print the table, or with --json the rows."""
    made = kit.get()
    if argv[:1] == ["--json"]:
        sys.stdout.write(json.dumps([one.to_json() for one in made.measured]) + "\n")
    else:
        sys.stdout.write("\n".join(lines(made.measured)) + "\n")
    if made.no_voice is not None:
        sys.stderr.write(f"{made.no_voice.code}: {made.no_voice.reason}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
