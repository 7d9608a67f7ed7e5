"""The stories that crash tests, mutants and conformance traces share; each returns a world with something to do.

ALL: name -> (story, outcome kinds it may end with whatever is cut).
"""

from tests.kernel.both import world as w

FORWARD = ("confirmed", "reverted")
BACK = ("reverted",)


def _offer(new, unhealthy=(), running=None, **ota):
    world = w.world(running)
    for found in unhealthy:
        world.unhealthy.add(w.digest_of(found))
    world.server.offer(w.release(1, w.OLD if running is None else running, new, **ota))
    return world


def good_all():
    return _offer(w.NEW)


def good_config():
    return _offer(w.changed(config=w.CONF2))


def good_joint():
    """Two planes in one activation point."""
    return _offer(w.changed(app=w.APP2, face=w.FACE2), order=[["app", "model/face"]])


def first_ever():
    """A device that runs nothing yet."""
    return _offer(w.NEW, running={})


def bad_config():
    return _offer(w.NEW, [w.CONF2])


def bad_model():
    return _offer(w.NEW, [w.FACE2])


def bad_app():
    return _offer(w.NEW, [w.APP2])


def bad_all():
    """Only the whole old set is healthy."""
    return _offer(w.NEW, [w.APP2, w.FACE2, w.CONF2])


def drill():
    return _offer(w.NEW, drill={"rule": "ok-model-face"})


def refused():
    """The preflight finds the model bad."""
    rules = w.RULES + [w.rule("model/face", id="golden", at=["preflight"])]
    return _offer(w.NEW, [w.FACE2], rules={"hold_ms": 1000, "every_ms": 500, "list": rules})


def mute():
    """A rule that nothing ever reads: no evidence is never a pass."""
    world = _offer(w.NEW, trial_ms=5000)
    world.missing.add("ok-app")
    return world


ALL = {
    "good_all": (good_all, FORWARD),
    "good_config": (good_config, FORWARD),
    "good_joint": (good_joint, FORWARD),
    "first_ever": (first_ever, ("confirmed", "failed")),
    "bad_config": (bad_config, BACK),
    "bad_model": (bad_model, BACK),
    "bad_app": (bad_app, BACK),
    "bad_all": (bad_all, BACK),
    "drill": (drill, FORWARD),
    "refused": (refused, ("refused",)),
    "mute": (mute, ("failed",)),
}
