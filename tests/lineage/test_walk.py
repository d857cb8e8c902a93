"""How much of a lineage is drawn: steps from the focus, and sides of nodes that were opened or closed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from mlvc.lineage import graph
from mlvc.lineage.graph import ABOVE, ARTIFACT, BELOW, RUN, Extent


def key(number):
    return (RUN if number % 2 else ARTIFACT, number.to_bytes(2, "big"))


def walked(edges, start=0, **extent):
    """Walks over numbered nodes; returns what is reached, and the sides that were followed."""
    sides = (
        lambda node: [key(a) for a, b in edges if key(b) == node],
        lambda node: [key(b) for a, b in edges if key(a) == node],
    )
    keys, found, followed = graph.walk(key(start), sides, Extent(**extent))
    numbers = {key(number): number for number in range(200)}
    assert all(a in keys and b in keys for a, b in found), "no edge without its ends"
    return {numbers[one] for one in keys}, {(side, numbers[one]) for side, one in followed}


CHAIN = [(0, 1), (1, 2), (2, 3), (3, 4)]
FORK = [(0, 1), (0, 2), (1, 3), (2, 3), (9, 1)]


def test_steps_bound_the_walk_on_either_side():
    assert walked(CHAIN, 2, up=1, down=1)[0] == {1, 2, 3}
    assert walked(CHAIN, 2, up=0, down=None)[0] == {2, 3, 4}
    assert walked(CHAIN, 2)[0] == {0, 1, 2, 3, 4}


def test_a_side_that_was_opened_shows_one_step_more_and_then_another():
    assert walked(CHAIN, 0, down=1, more=((BELOW, key(1)),))[0] == {0, 1, 2}
    assert walked(CHAIN, 0, down=1, more=((BELOW, key(1)), (BELOW, key(2))))[0] == {0, 1, 2, 3}
    assert walked(CHAIN, 0, down=1, more=((BELOW, key(3)),))[0] == {0, 1}, "what is not drawn cannot be opened"


def test_other_inputs_of_what_was_made_can_be_opened():
    assert walked(FORK, 0, up=0, down=1, more=((ABOVE, key(1)),))[0] == {0, 1, 2, 9}


def test_a_closed_side_hides_what_is_reached_by_it_alone():
    assert walked(CHAIN, 0, less=frozenset([(BELOW, key(2))]))[0] == {0, 1, 2}
    assert walked(FORK, 0, up=0, less=frozenset([(BELOW, key(1))]))[0] == {0, 1, 2, 3}, "there is another way"


def test_sides_that_were_followed_are_told():
    _, followed = walked(CHAIN, 2, up=1, down=0, more=((BELOW, key(2)),))
    assert followed == {(ABOVE, 2), (BELOW, 2)}


@given(some.lists(some.tuples(some.integers(0, 12), some.integers(0, 12)), max_size=30), some.integers(0, 3), some.integers(0, 3), some.integers(0, 12), some.sampled_from([ABOVE, BELOW]))
def test_opening_only_adds_and_closing_only_takes_away(edges, up, down, node, side):
    plain, _ = walked(edges, 0, up=up, down=down)
    assert plain <= walked(edges, 0, up=up, down=down, more=((side, key(node)),))[0]
    closed, _ = walked(edges, 0, up=up, down=down, less=frozenset([(side, key(node))]))
    assert closed <= plain
    assert 0 in closed


@given(some.integers(1, 40))
def test_a_walk_ends_where_there_are_enough(most):
    star = [(0, number) for number in range(1, 100)]
    assert len(walked(star, 0, most=most)[0]) == most
