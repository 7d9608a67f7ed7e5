"""Simulated devices and a simulated world around the production code.

A simulated device runs the same kernel (transaction, journal, gates, wire) as a real one; only its clock, network, disk
and workload are replaced. There are two ways to run them:

- `world`: one thread, virtual time, in-process server use cases; seeded, deterministic, judged by the checkers;
- `live`: one process, real time, real HTTP against a real server; used by the demo for a fleet of hundreds.

Never a second implementation: no rule of the planner, the gates or the transaction is written here again. The checkers
are the one exception, on purpose: an oracle that shares code with what it judges shares its mistakes.
"""
