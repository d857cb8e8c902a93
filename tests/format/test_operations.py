"""Operations on the wire, and the limits of the transactions that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from mlvc.errors import DamageError, NewerFormatError, UsageError
from mlvc.format import canonical, operations, record, transaction
from mlvc.format.operations import Edge, Edit, FoldRules, Move, Operation, Project, Publish
from mlvc.format.record import Kind
from mlvc.format.transaction import Envelope, Need, Transaction

KINDS = list(operations._KNOWN.values())

texts = st.text(max_size=12)
ids = st.binary(min_size=32, max_size=32)
run_ids = st.binary(min_size=16, max_size=16)
facts = st.lists(st.binary(min_size=34, max_size=34), max_size=3).map(tuple)
maps = st.dictionaries(texts, texts | ids, max_size=3)
text_tuples = st.lists(texts, max_size=3).map(tuple)
targets = st.tuples(st.just("version"), ids) | st.tuples(st.just("collection"), texts) | st.tuples(st.just("run"), run_ids)

BY_FIELD: dict[str, st.SearchStrategy] = {
    **dict.fromkeys(("name", "collection", "type", "description", "alias", "tag", "project", "label", "use_as", "to"), texts),
    **dict.fromkeys(("manifest", "transaction"), ids),
    **dict.fromkeys(("recipes", "base"), st.none() | ids),
    **dict.fromkeys(("saw", "names", "deletes_seen"), facts),
    **dict.fromkeys(("metadata", "set", "facts", "config", "summary"), maps),
    **dict.fromkeys(("remove", "removed"), text_tuples),
    "target": targets,
    "files": st.dictionaries(texts, st.tuples(ids, st.integers(0, 2**60), st.none() | ids), max_size=2),
    "tags": st.none() | text_tuples,
    "keys": st.none() | text_tuples,
    **dict.fromkeys(("ttl_ms", "step"), st.none() | st.integers(0, 2**60)),
}


def strategy_for(kind: type[Operation], name: str) -> st.SearchStrategy:
    if name == "run":
        return run_ids if kind.__name__ in ("RunHead", "Edge") else st.none() | run_ids
    if name == "version":
        return st.integers(1, operations.FOLD_RULES_VERSION) if kind is FoldRules else (st.none() | ids if kind is Move else ids)
    if kind is Edit and name == "description":
        return st.none() | texts
    return BY_FIELD[name]


def operations_of(kind: type[Operation]) -> st.SearchStrategy[Operation]:
    return st.builds(kind, **{part.name: strategy_for(kind, part.name) for part in fields(kind)})


any_operation = st.one_of([operations_of(kind) for kind in KINDS])
transactions = st.builds(
    Transaction,
    nonce=st.binary(min_size=16, max_size=16),
    who=texts,
    when_ms=st.integers(0, 2**50),
    command=texts,
    after=st.lists(ids, max_size=4, unique=True).map(lambda found: tuple(sorted(found))),
    operations=st.lists(any_operation, max_size=4).map(tuple),
    needs=st.lists(st.builds(Need, st.sampled_from(["artifact", "value", "file"]), ids, st.just(b"") | ids), max_size=3).map(tuple),
    signer=st.sampled_from(["", "ssh-ed25519 AAAA"]),
)


def made(*said: Operation, after: tuple[bytes, ...] = (), **more: object) -> Transaction:
    return Transaction(bytes(16), "Ada <ada@example.org>", 1, "mlvc add", after, said, **more)


def through_the_wire(operation: Operation) -> Operation:
    return operations.from_wire(canonical.decode(canonical.encode(operations.to_wire(operation))))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_operation_survives_the_wire(kind: type[Operation]):
    @given(operations_of(kind))
    def survives(operation: Operation) -> None:
        assert through_the_wire(operation) == operation

    survives()


def test_no_two_operations_share_a_name_on_the_wire():
    assert {kind.__name__ for kind in KINDS} == {kind.__name__ for kind in Operation.__subclasses__()}
    assert len(KINDS) == 17


@given(any_operation)
def test_parts_at_their_default_are_left_out(operation: Operation):
    _, written = operations.to_wire(operation)

    for part in fields(operation):
        default = part.default_factory() if isinstance(part.default_factory, type) else part.default
        assert (part.name in written) == (part.required or getattr(operation, part.name) != default)


def test_an_unknown_operation_stops_the_reader_by_name():
    with pytest.raises(NewerFormatError, match="'teleport'"):
        operations.from_wire(["teleport", {}])


def test_an_unknown_part_of_a_known_operation_stops_the_reader_by_name():
    with pytest.raises(NewerFormatError, match="'colour'"):
        operations.from_wire(["project", {"name": "demo", "colour": "red"}])


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        ["project"],
        ["project", {}],
        ["project", {"name": 3}],
        ["project", {"name": b"demo"}],
        ["publish", {"collection": "p/x", "manifest": b"short"}],
        ["publish", {"collection": "p/x", "manifest": bytes(32), "metadata": {"a": 1}}],
        ["move", {"collection": "p/x", "alias": "a", "version": None, "saw": [bytes(32)]}],
        ["link", {"collection": "registry:model/x", "version": None}],
        ["edge", {"run": None, "version": bytes(32)}],
        ["run_head", {"run": bytes(16), "project": "p", "label": "l", "files": {"history": [bytes(32), -1, None]}}],
        ["delete", {"target": ["planet", "x"]}],
        ["delete", {"target": ["version", "text"]}],
        ["tag_add", {"target": "version", "tag": "x"}],
        ["undo", {"transaction": None}],
        ["ttl", {"version": bytes(32), "ttl_ms": True}],
        ["fold_rules", {"version": "2"}],
        ["protect", {"collection": "p/x", "alias": "a", "keys": "all"}],
        ["project", {"name": ["demo"]}],
        [["project"], {"name": "demo"}],
        ["project", ["name"]],
        3,
    ],
    ids=repr,
)
def test_a_malformed_operation_is_damage(wire: object):
    """Journals come from strangers too; the fold relies on shapes."""
    with pytest.raises(DamageError):
        operations.from_wire(wire)


def test_a_versions_id_hangs_on_collection_and_manifest_alone():
    one = Publish("p/x", b"m" * 32, metadata={"a": "1"}, run=bytes(16))
    same = Publish("p/x", b"m" * 32)

    assert one.version == same.version == operations.version_id("p/x", b"m" * 32)
    assert one.version != Publish("p/y", b"m" * 32).version
    assert one.version != Publish("p/x", b"n" * 32).version


@given(transactions)
def test_a_transaction_survives_its_bytes(given_transaction: Transaction):
    data = transaction.encode(given_transaction)

    assert transaction.decode(data) == given_transaction
    assert transaction.encode(transaction.decode(data)) == data


@given(transactions, transactions)
def test_two_transactions_share_an_id_only_when_they_are_equal(one: Transaction, other: Transaction):
    same_id = transaction.transaction_id(transaction.encode(one)) == transaction.transaction_id(transaction.encode(other))

    assert same_id == (one == other)


def test_equal_deeds_are_two_transactions_by_their_nonce():
    one = made(Project("demo"))
    other = Transaction(b"n" * 16, *[getattr(one, part.name) for part in fields(one)][1:])

    assert transaction.transaction_id(transaction.encode(one)) != transaction.transaction_id(transaction.encode(other))


def test_a_transaction_above_its_limit_is_refused_when_made_and_when_read():
    small = made(Project("x" * (transaction.MAX_SIZE - 400)))
    assert len(transaction.encode(small)) <= transaction.MAX_SIZE
    with pytest.raises(UsageError, match=r"65,536 are allowed"):
        transaction.encode(made(Project("x" * transaction.MAX_SIZE)))
    with pytest.raises(DamageError, match="65,536 are allowed"):
        transaction.decode(record.frame(Kind.TRANSACTION, b"x" * transaction.MAX_SIZE))


def test_as_many_heads_as_a_transaction_may_name_fit_into_it():
    after = tuple(sorted(bytes([n]) * 32 for n in range(transaction.MAX_AFTER)))

    assert transaction.decode(transaction.encode(made(after=after))).after == after


def body_of(given_transaction: Transaction) -> dict[str, object]:
    return canonical.decode(record.body(transaction.encode(given_transaction), Kind.TRANSACTION, "x"))


def with_body(**changes: object) -> bytes:
    body = {**body_of(made(Project("demo"))), **changes}
    return record.frame(Kind.TRANSACTION, canonical.encode({k: v for k, v in body.items() if v is not None}))


@pytest.mark.parametrize("change", [{"features": ["time-travel"]}, {"mood": "good"}, {"operations": [["fold_rules", {"version": 9}]]}])
def test_what_only_a_newer_mlvc_understands_stops_the_reader(change: dict[str, object]):
    with pytest.raises(NewerFormatError):
        transaction.decode(with_body(**change))


@pytest.mark.parametrize(
    "change",
    [{"nonce": b"short"}, {"nonce": None}, {"after": [b"short"]}, {"after": None}, {"operations": 3}, {"needs": [["artifact"]]}]
    + [{"operations": None}],
    ids=str,
)
def test_a_malformed_transaction_is_damage(change: dict[str, object]):
    with pytest.raises(DamageError):
        transaction.decode(with_body(**change))


@given(transactions, st.binary(max_size=80), st.data())
def test_a_pending_file_with_a_flipped_bit_is_damage(given_transaction: Transaction, signature: bytes, data: st.DataObject):
    envelope = Envelope(transaction.encode(given_transaction), signature, (), ())
    sealed = transaction.encode_envelope(envelope)
    assert transaction.decode_envelope(sealed, "it") == envelope

    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises((DamageError, NewerFormatError)):  # a flipped kind byte looks like a kind to come
        transaction.decode_envelope(bytes(flipped), "it")


def test_an_edge_keeps_the_name_it_was_asked_by():
    edge = Edge(bytes(16), bytes(32), "registry/digits:production", "validation")

    assert through_the_wire(edge) == edge
