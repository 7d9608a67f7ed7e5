"""The power is cut before, inside and after each effect and each write of every story; the device always comes to a
good end.

The test in `tests/kernel/test_explorer.py` does the same with torn tails and second cuts, on CPython.
"""

from tests.kernel.both import crash, stories


def explore(names, every=1, kept=(0, 100000)):
    found = []
    for name in names:
        story, allowed = stories.ALL[name]
        steps = crash.steps_of(story)
        for at in range(1, steps + 1, every):
            for kept_bytes in kept:
                for fault in crash.faults(crash.live(story, [at], kept_bytes), allowed):
                    found.append(f"{name}, cut at step {at} of {steps}, {kept_bytes} bytes kept: {fault}")
    assert not found, found[:5]


def test_stories_end_as_they_should_without_a_cut():
    for name in stories.ALL:
        story, allowed = stories.ALL[name]
        world = crash.live(story)
        assert not crash.faults(world, allowed[:1] if name != "first_ever" else allowed), name


def test_cut_at_each_step_of_good_stories_ends_well():
    explore(["good_all", "good_joint", "first_ever"], 2)


def test_cut_at_each_step_of_bad_stories_ends_well():
    explore(["bad_config", "bad_all"], 3)


def test_cut_at_each_step_of_a_drill_ends_confirmed():
    explore(["drill"], 4, (0,))


def test_cut_at_each_step_of_a_refusal_leaves_no_trace():
    explore(["refused"], 1, (0,))
