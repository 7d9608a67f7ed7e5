"""The door boxes and sensors that the planner's tests are about, and what was published for them."""

from __future__ import annotations

from collections.abc import Sequence

from ringback.plan.catalog import Catalog
from ringback.plan.inventory import DeviceFacts, Other
from ringback.plan.lint import lint
from ringback.plan.planner import Plan, Policy, plan
from ringback.plan.refusal import Refusal
from ringback.spec.release import Release
from tests.plan.fleet import artifact, catalog, planes, stock

APP_10 = artifact("app/door@1.0.0")
APP_11 = artifact("app/door@1.1.0")
APP_20 = artifact("app/door@2.0.0", requires={"model/voice": ">=6"})
FACE_1 = artifact("model/face/blazeface@1.0.0")
FACE_2 = artifact("model/face/blazeface@1.1.0", size_bytes=5000)
VOICE_5 = artifact("model/voice/silero@5.1.2")
VOICE_62 = artifact("model/voice/silero@6.2.0", requires={"app": ">=1.1"})
CONFIG_1 = artifact("config/door@1.0.0", requires={"model/face": ">=1"})
CONFIG_2 = artifact("config/door@2.0.0", requires={"model/face": ">=1.1"})
EVERYTHING = (APP_10, APP_11, APP_20, FACE_1, FACE_2, VOICE_5, VOICE_62, CONFIG_1, CONFIG_2)
CATALOG = catalog(EVERYTHING)
OLD = planes(APP_10, FACE_1, VOICE_5, CONFIG_1)
NEWER = planes(APP_11, FACE_1, VOICE_5, CONFIG_1)


NO_POLICY = Policy()


def planned(
    devices: Sequence[DeviceFacts],
    wanted: Release,
    of: Catalog = CATALOG,
    *,
    others: Sequence[Other] = (),
    policy: Policy = NO_POLICY,
) -> Plan:
    """Plan, and have the second opinion find nothing wrong with any track."""
    made = plan(stock(devices, wanted, of, others), wanted, of, policy)
    assert isinstance(made, Plan), made
    for lane in made.lanes:
        assert [one for one in lint(lane.track, made.wanted, of) if one.is_error] == []
    return made


def refused(
    devices: Sequence[DeviceFacts],
    wanted: Release,
    of: Catalog = CATALOG,
    *,
    others: Sequence[Other] = (),
    policy: Policy = NO_POLICY,
) -> Refusal:
    made = plan(stock(devices, wanted, of, others), wanted, of, policy)
    assert isinstance(made, Refusal), made
    return made


def orders(made: Plan) -> list[list[tuple[tuple[str, ...], ...]]]:
    return [[hop.order for hop in lane.track.hops] for lane in made.lanes]


def only(refusal: Refusal) -> tuple[str, str, str]:
    assert len(refusal.causes) == 1, refusal.text
    cause = refusal.causes[0]
    return cause.code, cause.text, cause.hint
