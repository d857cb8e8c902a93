"""Before Git pushes commits, what they pin goes to a remote, so that nobody fetches code without its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from mlvc.fold.questions import View
from mlvc.format.ids import VersionId, fact_transaction, short
from mlvc.sync import sending
from mlvc.sync.pushing import Pushed
from mlvc.sync.remote import Remote
from mlvc.working_tree.lock_file import Pin
from mlvc.workspace import comparing, contents, exchanging, following, resolving
from mlvc.workspace.workspace import Workspace


class PinsPushed(Struct, frozen=True):
    """What was done, and what is still in no remote.

    Attributes:
        pushed: None where nothing had to be.
        lacking: names of pinned versions that nobody else could fetch.
    """

    pushed: Pushed | None
    lacking: tuple[str, ...]


def pinned_by(workspace: Workspace, commits: Iterable[str]) -> list[Pin]:
    """Returns what commits pin."""
    found: dict[VersionId, Pin] = {}
    for commit in commits:
        found.update((pin.version, pin) for pin in following.pins_at(workspace, commit).values())
    return list(found.values())


def push(workspace: Workspace, pins: Sequence[Pin]) -> PinsPushed:
    """Pushes to the upstream when some pinned version is not there yet, as far as is known here. Errors as `exchanging.push`."""
    if not _lacking(workspace, pins) and not _without_data(workspace, pins):
        return PinsPushed(None, ())
    if workspace.settings.upstream is None:
        return PinsPushed(None, _names(workspace, pins))
    done = exchanging.push(workspace)
    is_all_there = not done.waiting and not done.lacking
    lacking = [pin for pin in pins if not _is_known(workspace, pin)] if is_all_there else _lacking(workspace, pins)
    return PinsPushed(done, _names(workspace, lacking or _without_data(workspace, pins)))


def has_nowhere_to_go(workspace: Workspace) -> bool:
    """Tells whether no remote takes data."""
    return not exchanging.data_remotes(workspace)


def _without_data(workspace: Workspace, pins: Iterable[Pin]) -> list[Pin]:
    """Returns the pins whose data is in no remote, as far as is known here, where the upstream keeps only names.

    Elsewhere, a version that is confirmed has its data there.
    """
    if workspace.settings.upstream is None or not exchanging.keeps_only_names(workspace):
        return []
    left = [pin for pin in pins if _is_known(workspace, pin)]
    for name in exchanging.data_remotes(workspace):
        if left:
            with exchanging.opened(workspace, name) as remote:
                left = [pin for pin in left if not _has_data(workspace, remote, pin)]
    return left


def _has_data(workspace: Workspace, remote: Remote, pin: Pin) -> bool:
    if remote.record() is None:
        return False
    with workspace.repository.reading() as view:
        need = exchanging.need_of(contents.publication(view, pin.version))
    remote.index.refresh(read=False)
    return not remote.index.unknown(sending.as_far_as_here(workspace.repository.objects, need))


def _is_known(workspace: Workspace, pin: Pin) -> bool:
    with workspace.repository.reading() as view:
        return comparing.is_known(view, pin.version)


def _lacking(workspace: Workspace, pins: Iterable[Pin]) -> list[Pin]:
    """Returns the pins of versions that no authority elsewhere has confirmed."""
    standing = workspace.repository.refresh()
    if workspace.settings.upstream is None or standing.authority is None or workspace.repository.is_authority(standing):
        return list(pins)
    with workspace.repository.reading() as view:
        return [pin for pin in pins if not _is_confirmed(workspace, view, pin.version)]


def _is_confirmed(workspace: Workspace, view: View, version: VersionId) -> bool:
    entry_of = workspace.repository.cached_view.entry_of
    return any(entry_of(fact_transaction(said.fact)) is not None for said in view.publications(version, standing=False))


def _names(workspace: Workspace, pins: Iterable[Pin]) -> tuple[str, ...]:
    with workspace.repository.reading() as view:
        return tuple(
            f"{pin.path} ({resolving.display_version(workspace, view, pin.version) if comparing.is_known(view, pin.version) else f'@{short(pin.version)}'})"
            for pin in pins
        )


