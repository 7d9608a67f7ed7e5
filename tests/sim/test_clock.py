"""The agenda runs things in the order of their instants, and of their entry where these are equal."""

from ringback.sim.clock import Agenda


def test_equal_instants_happen_in_the_order_of_entry() -> None:
    agenda, seen = Agenda(0), []
    agenda.at(5, lambda: seen.append("first"))
    agenda.at(5, lambda: seen.append("second"))
    agenda.at(3, lambda: seen.append("earlier"))

    agenda.run_until(10)

    assert seen == ["earlier", "first", "second"]
    assert agenda.now_ms == 10


def test_the_past_means_now_and_time_never_runs_backwards() -> None:
    agenda, seen = Agenda(100), []
    agenda.at(5, lambda: seen.append(agenda.now_ms))

    agenda.run_until(200)

    assert seen == [100]


def test_a_run_ends_as_soon_as_its_condition_holds() -> None:
    agenda, seen = Agenda(0), []
    for at_ms in (1, 2, 3):
        agenda.at(at_ms, lambda: seen.append(agenda.now_ms))

    assert agenda.run_until(10, stop=lambda: len(seen) == 2)
    assert agenda.now_ms == 2
