"""Protected aliases: who may move them, and what a signature says of who did."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.actions import Action
from mlvc.fold.questions import Member, View
from mlvc.format import names, signature, transaction
from mlvc.format.ids import fact_transaction
from mlvc.format.operations import Operation, Protect
from mlvc.format.reference import parse_version
from mlvc.workspace import resolving
from mlvc.workspace.workspace import Workspace


def protect(workspace: Workspace, collection: str, alias: str, keys: Sequence[str] | None, command: str) -> None:
    """Says which public keys may change what an alias of a stored collection answers; None lifts the protection.

    Raises:
        UsageError: the alias cannot be protected, or no key is given.
        ProtectedError: it is protected already, and the user has no key that may change that.
    """
    names.check_alias(alias)
    if alias == names.LATEST:
        raise UsageError("'latest' always means the version published last: there is nothing to protect", hint="protect another alias")
    if keys is not None and not keys:
        raise UsageError("who may move it? no key is given", hint="--key FILE, such as ~/.ssh/id_ed25519.pub")
    checked = None if keys is None else tuple(dict.fromkeys(signature.public_key(key) for key in keys))

    def build(view: View) -> list[Operation]:
        if checked is None and alias not in view.protected(collection):
            shown = names.display_collection(collection, workspace.project)
            raise NotFoundError(f"the alias '{alias}' of {shown} is not protected", hint=f"'mlvc protect {shown}' lists those that are")
        return [*workspace.first_words(view), Protect(collection, alias, checked)]

    with workspace.committing(command) as commit:
        commit.say_with(build)


class Verdict(Struct, frozen=True):
    """What can be said of an alias and who moved it.

    Attributes:
        member: what it answers.
        action: the move.
        signer: the public key that signed it, proven now; None when nobody did.
        allowed: the keys that may move it; None when it is not protected.
    """

    member: Member
    action: Action
    signer: str | None
    allowed: tuple[str, ...] | None

    @property
    def is_good(self) -> bool:
        """Whether it is signed, by a key that may move it where it is protected."""
        return self.signer is not None and (self.allowed is None or self.signer in self.allowed)


def verify(workspace: Workspace, text: str) -> Verdict:
    """Returns who pointed an alias, written NAME:ALIAS, where it points, and proves the signature.

    Raises:
        UsageError: the reference names no alias.
        NotFoundError: there is no such alias.
    """
    wanted = parse_version(text)
    alias = wanted.selector
    if not alias or wanted.number is not None or alias == names.LATEST:
        raise UsageError(f"'{text}' names no alias that somebody sets", hint="write NAME:ALIAS, such as registry/mnist:production")
    with workspace.repository.reading() as view:
        member = resolving.version(workspace, view, text)
        action = view.move_in_force(member.collection, alias)
        allowed = view.protected(member.collection).get(alias)
    assert action is not None, "the alias answers something"
    envelope = workspace.repository.envelope_of(fact_transaction(action.fact))
    if envelope is None:
        raise NotFoundError(f"the transaction that moved {text} is not here", hint="'mlvc fsck' says what is missing")
    signer = signature.signer_of(envelope, transaction.decode(envelope.data))
    return Verdict(member, action, signer, allowed)
