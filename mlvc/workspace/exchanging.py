"""A workspace and its remotes: pushing, pulling, fetching, cloning, and bringing data when it is wanted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mlvc import atomic_file
from mlvc.errors import RemoteError, UsageError
from mlvc.fold.questions import Publication
from mlvc.format.transaction import Need
from mlvc.objects import closure
from mlvc.repository import store_record
from mlvc.repository.repository import Repository
from mlvc.sync import fetching, joining, pulling, pushing
from mlvc.sync.pulling import Pulled
from mlvc.sync.pushing import Pushed, PushPlan
from mlvc.sync.remote import Remote
from mlvc.sync.renumbering import Renumbered
from mlvc.working_tree import lock_file
from mlvc.workspace import configuration, contents, lazy_fetch, locating, places, resolving, trust
from mlvc.workspace.configuration import RemoteSettings
from mlvc.workspace.locating import Location
from mlvc.workspace.remotes import (
    AddedRemote,
    RemoteLine,
    add_remote,
    all_remotes,
    open_remote,
    opened,
    remotes,
    remove_remote,
    settings_of,
    trust_remote,
)
from mlvc.workspace.workspace import Workspace, own_environment

__all__ = [
    "AddedRemote",
    "Fetched",
    "Joined",
    "Pulled",
    "PushPlan",
    "Pushed",
    "RemoteLine",
    "Renumbered",
    "add_remote",
    "all_remotes",
    "clone",
    "fetch",
    "is_apart",
    "join",
    "join_plan",
    "open_remote",
    "opened",
    "pull",
    "push",
    "push_plan",
    "remotes",
    "remove_remote",
    "take_over",
    "trust_remote",
]

CLONED_FROM = "origin"


class Fetched(Struct, frozen=True):
    """What a fetch brought: names and history, and bytes of data."""

    pulled: Pulled
    bytes: int


def push(workspace: Workspace, name: str | None = None) -> Pushed:
    """Sends what is pending to a remote; errors as `pushing.push`.

    Where `name` is None and the upstream keeps no data, as a Git host, the remotes that do get it first.
    """
    if name is not None or not keeps_only_names(workspace):
        return _push(workspace, name)
    before = [_push(workspace, other) for other in data_remotes(workspace)]
    done = _push(workspace, None)
    return replace(
        done,
        packs=done.packs + sum(one.packs for one in before),
        size_bytes=done.size_bytes + sum(one.size_bytes for one in before),
        lacking=max((one.lacking for one in before), default=0),
    )


def keeps_only_names(workspace: Workspace) -> bool:
    """Tells whether the upstream keeps no data: names, lineage and registry only."""
    _, settings = settings_of(workspace, None)
    return not places.holds_data(settings)


def data_remotes(workspace: Workspace) -> list[str]:
    """Returns the remotes that data is pushed to."""
    return [name for name, settings in workspace.settings.remotes.items() if places.holds_data(settings)]


def _push(workspace: Workspace, name: str | None) -> Pushed:
    with opened(workspace, name) as remote:
        folder = places.local_folder(remote.url)
        if places.is_folder(remote.url) and not folder.parent.is_dir():
            raise RemoteError(
                f"the folder {folder} of the remote '{remote.name}' cannot be reached", hint="is its disk mounted?"
            )
        return pushing.push(workspace.repository, remote, workspace.progress)


def push_plan(workspace: Workspace, name: str | None = None) -> PushPlan:
    """Returns what `push` would send; changes nothing."""
    with opened(workspace, name) as remote:
        return pushing.plan(workspace.repository, remote)


def pull(workspace: Workspace, name: str | None = None) -> Pulled:
    """Brings what others pushed, without data; errors as `pulling.pull`."""
    with opened(workspace, name) as remote:
        return pulling.pull(workspace.repository, remote, workspace.progress)


def fetch(workspace: Workspace, references: list[str], name: str | None = None) -> Fetched:
    """Pulls, and brings data into local packs, for working offline; writes no files.

    Args:
        workspace: where.
        references: versions; none means those that `mlvc.lock` pins.
        name: of the remote; None is the upstream.

    Raises:
        NotFoundError: a version is not known, or its data is neither here nor at any remote.
    """
    pulled = pull(workspace, name)
    with workspace.repository.reading() as view:
        if references:
            versions = [resolving.version(workspace, view, reference).version for reference in references]
        else:
            versions = list(dict.fromkeys(pin.version for pin in lock_file.read(workspace.root).values()))
        needs = [need_of(contents.publication(view, version)) for version in versions]
    objects = workspace.repository.objects
    wanted = list(dict.fromkeys(item for need in needs for item in closure.everything(objects, need)))
    missing = objects.missing(wanted)
    with opened(workspace, name) as remote, workspace.repository.locks.committing():
        size = fetching.fetch(objects, remote, missing, workspace.progress)
    objects.ensure(missing)  # another remote may hold what this one lacks
    return Fetched(pulled, size)


# -- two histories --------------------------------------------------------------------------------------------------


class Joined(Struct, frozen=True):
    """What a join did: transactions that are pending now, and versions whose numbers changed."""

    transactions: int
    renumbered: tuple[Renumbered, ...]


def is_apart(workspace: Workspace, name: str) -> bool:
    """Tells whether a remote's history and the one here must be joined before anything can be pulled or pushed."""
    with opened(workspace, name) as remote:
        return joining.is_apart(workspace.repository, remote)


def join_plan(workspace: Workspace, name: str) -> list[Renumbered]:
    """Returns which versions would have other numbers once this repository's history is joined to a remote's."""
    with opened(workspace, name) as remote:
        return joining.preview(workspace.repository, remote)


def join(workspace: Workspace, name: str) -> Joined:
    """Joins the history here to a remote's: what the remote lacks is pending from then on, for the next push.

    Raises:
        ConflictError: the journal here is led by a store that is no remote of this workspace.
    """
    plan = join_plan(workspace, name)
    leader = workspace.repository.refresh().authority
    with opened(workspace, name) as remote, ExitStack() as stack:
        others = [stack.enter_context(opened(workspace, other)) for other in workspace.settings.remotes if other != name]
        authority = next((r for r in others if leader is not None and _is_store(r, leader[0])), None)
        count = joining.join(workspace.repository, remote, authority, workspace.progress)
        pulling.pull(workspace.repository, remote, workspace.progress)
    return Joined(count, tuple(plan))


def _is_store(remote: Remote, identifier: bytes) -> bool:
    """Tells whether a remote is a certain store; one that cannot be reached is none."""
    with suppress(RemoteError):
        record = remote.record()
        return record is not None and record.id == identifier
    return False


def take_over(workspace: Workspace, name: str | None) -> str:
    """Makes a remote, or this repository, the store that takes new entries, without asking the one that does now.

    Returns:
        Where entries go from now on.

    Raises:
        ConflictError: the remote is a carrier, or leads the history already.
        UnsupportedError: there is no history here.
    """
    if name is None:
        joining.take_over(workspace.repository, None)
        return "this repository"
    with opened(workspace, name) as remote:
        joining.take_over(workspace.repository, remote, workspace.progress)
    configuration.put(workspace.root, "upstream", name)
    workspace.reload_settings()
    return f"the remote '{name}'"


def need_of(said: Publication) -> Need:
    """Returns what a publication cannot do without."""
    return Need("artifact", said.manifest, said.recipes or b"")


# -- cloning --------------------------------------------------------------------------------------------------------


def clone(
    source: str,
    dest: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> tuple[Workspace, Pulled]:
    """Makes a repository of what a store elsewhere holds: names, history and run records; data comes when it is wanted.

    Of a Git checkout, only the mlvc store is cloned. All or nothing: after a failure, `dest` is as it was.

    Args:
        source: a store's bucket or folder, or a repository that holds one; it becomes the remote `origin`.
        dest: a new or empty folder; by default named after the source, in the current folder.
        environment: the variables of this process, or of a test.
        options: of a bucket, see `clouds.OPTIONS`.

    Raises:
        UsageError: `dest` holds something.
        RemoteError: there is no store at `source`.
    """
    known = own_environment(environment)
    settings = places.normal(source, options)
    store = places.open_backend(settings, known, Path.cwd())
    try:
        if store_record.read(store) is None:
            raise RemoteError(f"{settings.url} holds no mlvc store", hint="name a repository, or a place that was pushed to")
        settings = places.as_found(settings, store)
    finally:
        store.close()
    dest = Path(os.path.abspath(dest if dest is not None else _default_name(settings.url)))
    was_there = dest.is_dir()
    if dest.exists() and (not was_there or any(dest.iterdir())):
        raise UsageError(f"{dest} exists and is not empty", hint="name a new folder to clone into")
    if places.needs_trust(settings.url):
        trust.trust(known, settings)
    try:
        workspace, pulled = _cloned(settings, dest, environment)
    except BaseException:
        _remove_clone(dest, was_there=was_there)
        raise
    return workspace, pulled


def _cloned(source: RemoteSettings, dest: Path, environment: Mapping[str, str] | None) -> tuple[Workspace, Pulled]:
    location = Location(dest, dest / locating.ELSEWHERE, None)  # of its own, also inside of somebody's Git checkout
    Repository.create(location.store).close()
    atomic_file.replace(location.store / ".gitignore", b"*\n")
    for name, value in {"url": source.url, **source.options}.items():
        configuration.put(dest, f"remotes.{CLONED_FROM}.{name}", value)
    configuration.put(dest, "upstream", CLONED_FROM)
    workspace = Workspace(location, environment)
    try:
        pulled = pull(workspace)
        project = workspace.repository.view().project()
        if project is not None:
            configuration.put(dest, "project", project)
        workspace.reload_settings()
        lazy_fetch.attach(workspace, may_fork=False)
    except BaseException:
        workspace.close()
        raise
    return workspace, pulled


def _default_name(url: str) -> Path:
    """Returns what a clone is called: as its source, without `.git` or `.mlvc`."""
    parts = [part for part in url.partition("://")[2].split("/") if part] if "://" in url else list(Path(url).parts)
    while len(parts) > 1 and (parts[-1] in (".git", ".mlvc") or parts[-2:] == [".git", "mlvc"]):
        parts.pop()
    return Path(parts[-1].removesuffix(".git").removesuffix(".mlvc"))


def _remove_clone(dest: Path, *, was_there: bool) -> None:
    """Takes away what a failed clone made."""
    if not dest.is_dir():
        return
    if not was_there:
        shutil.rmtree(dest)
        return
    for inner in dest.iterdir():
        if inner.is_dir():
            shutil.rmtree(inner)
        else:
            inner.unlink()
