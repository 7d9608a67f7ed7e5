"""From a release and a fleet to a proven way forward and back, or to a refusal with causes. Pure: no clock, no I/O.

Decides: which devices can go, in which order planes switch, through which inserted artifacts, how they come back, and
what closes behind them. Never: guesses a missing version, or leaves the agent a choice.

- ``inventory``  the fleet as groups of devices that are alike
- ``catalog``    what has been published, and what a release means by its names
- ``planner``    the plan, or a ``Refusal``; ``track_for`` for one kind of device
- ``desire``     the desired state of a hop, as the bytes that are signed
- ``report``     a plan in numbers
- ``lint``       a second opinion, written apart
"""
