"""Keys keep the order of their parts, and an overlay is the view below with changes."""

from fold_clones import Clone
from hypothesis import given, settings
from hypothesis import strategies as st

from mlvc.fold.look import Change, DictView, Overlay, key, parts

CI = settings(max_examples=300, deadline=None, derandomize=True, database=None)

TEXT = st.text(st.sampled_from("\x00\x01a/ÿ\uffff\U0001f600"), max_size=4) | st.text(st.characters(codec="utf-8"), max_size=3)
BYTES = st.lists(st.sampled_from([0, 1, 2, 3, 0x61, 0xFE, 0xFF]), max_size=4).map(bytes)
INTS = st.sampled_from([0, 1, 255, 256, 1 << 32, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)
PARTS = st.lists(INTS | TEXT | BYTES, max_size=4)


def rank(part):
    """Numbers before texts before bytes, each in its own order."""
    return (0, part, "", b"") if isinstance(part, int) else (1, 0, part, b"") if isinstance(part, str) else (2, 0, "", part)


@CI
@given(PARTS)
def test_parts_gives_back_what_key_was_made_of(made_of):
    assert parts(key(*made_of)) == made_of


@CI
@given(PARTS, PARTS)
def test_keys_order_as_their_parts_do(one, two):
    assert (key(*one) < key(*two)) == ([rank(p) for p in one] < [rank(p) for p in two])
    assert (key(*one) == key(*two)) == (one == two)


@CI
@given(PARTS, PARTS)
def test_a_key_begins_with_another_exactly_when_its_parts_do(one, two):
    assert key(*one).startswith(key(*two)) == (one[: len(two)] == two)
    assert key(*one, *two).startswith(key(*one))


KEYS = st.binary(max_size=2).map(lambda b: bytes(x % 3 for x in b)) | st.sampled_from([key("a", 1), key("a", 2), key("ab")])
VALUES = st.integers(0, 3) | st.just("x") | st.just([1, b"y"])
PUTS = st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=12)


def laid_over(below, puts):
    view = DictView()
    view.apply(tuple(Change(at, None, value) for at, value in below.items()))
    overlay = Overlay(view)
    for at, value in puts:
        overlay.put(at, value)
    model = dict(below)
    for at, value in puts:
        if value is None:
            model.pop(at, None)
        else:
            model[at] = value
    return view, overlay, model


@CI
@given(st.dictionaries(KEYS, VALUES, max_size=8), PUTS, KEYS)
def test_an_overlay_answers_as_a_plain_dictionary_does(below, puts, prefix):
    _, overlay, model = laid_over(below, puts)
    expected = sorted((at, value) for at, value in model.items() if at.startswith(prefix))
    expected.sort(key=lambda item: item[0])
    assert list(overlay.scan(prefix)) == expected
    assert list(overlay.scan(prefix, reverse=True)) == expected[::-1]
    for at in [*below, *(at for at, _ in puts)]:
        assert overlay.get(at) == model.get(at)


@CI
@given(st.dictionaries(KEYS, VALUES, max_size=8), PUTS, PUTS, KEYS)
def test_an_overlay_goes_back_to_a_mark(below, kept, taken_back, prefix):
    _, overlay, model = laid_over(below, kept)
    mark = overlay.mark()
    for at, value in taken_back:
        overlay.put(at, value)
    overlay.back_to(mark)
    assert dict(overlay.scan(b"")) == model
    assert [at for at, _ in overlay.scan(prefix)] == sorted(at for at in model if at.startswith(prefix))


@CI
@given(st.dictionaries(KEYS, VALUES, max_size=8), PUTS)
def test_the_changes_of_an_overlay_make_the_view_below_equal_to_it_and_roll_back(below, puts):
    view, overlay, model = laid_over(below, puts)
    before = view.snapshot()
    changes = overlay.changes()
    assert view.snapshot() == before
    view.apply(changes)
    assert dict(view.scan(b"")) == model
    assert list(view.scan(b"", reverse=True)) == list(view.scan(b""))[::-1]
    view.roll_back(changes)
    assert view.snapshot() == before
    assert all(change.old != change.new for change in changes)


@CI
@given(st.dictionaries(KEYS, VALUES, max_size=8), PUTS, PUTS, KEYS)
def test_an_overlay_over_an_overlay_answers_as_one(below, lower, upper, prefix):
    _, overlay, _ = laid_over(below, lower)
    both = Overlay(overlay)
    for at, value in upper:
        both.put(at, value)
    _, one, _ = laid_over(below, [*lower, *upper])
    assert list(both.scan(prefix)) == list(one.scan(prefix))
    assert list(both.scan(prefix, reverse=True)) == list(one.scan(prefix, reverse=True))


def test_changing_what_get_returned_does_not_change_the_view():
    view = DictView()
    view.apply((Change(b"k", None, [1]),))
    view.get(b"k").append(2)
    assert view.get(b"k") == [1]


def test_a_snapshot_is_a_copy():
    alice = Clone("alice")
    before = alice.look.snapshot()
    alice.publish("a")
    assert before == {}
