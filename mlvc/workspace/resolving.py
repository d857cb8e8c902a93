"""From what people type to what it means: versions and runs, with near names when there is nothing."""

from __future__ import annotations

from collections.abc import Sequence

from mlvc.errors import ConflictError, InvalidNameError, NotFoundError
from mlvc.fold.questions import Member, View
from mlvc.format import names, reference
from mlvc.format.ids import RunId, VersionId, short
from mlvc.format.reference import RunReference, VersionReference
from mlvc.runs import labels, live_run
from mlvc.workspace.workspace import Workspace

_SHOWN = 8


def collection_name(workspace: Workspace, view: View, text: str | VersionReference) -> str:
    """Returns the stored name of the collection that a typed name means; it need not exist. A project's links come after its sources."""
    found = reference.parse_version(text) if isinstance(text, str) else text
    project = found.project or workspace.project
    source = view.resolve(names.stored_collection(project, found.name))
    if names.is_registry(source) or view.collection(source) is not None:
        return source
    links = view.resolve(names.link_collection(project, found.name))
    return links if view.collection(links) is not None else source


def existing_collection(workspace: Workspace, view: View, text: str | VersionReference) -> str:
    """Returns the stored name of a collection; NotFoundError, with near names, when there is none."""
    name = collection_name(workspace, view, text)
    if view.collection(name) is None:
        raise _no_collection(workspace, view, name)
    return name


def _near(word: str, known: Sequence[str], *, n: int, cutoff: float) -> list[str]:
    import difflib  # only a mistake needs it

    return difflib.get_close_matches(word, known, n=n, cutoff=cutoff)


def _no_collection(workspace: Workspace, view: View, name: str) -> NotFoundError:
    shown = names.display_collection(name, workspace.project)
    known = [names.display_collection(c.name, workspace.project) for c in view.collections()]
    near = _near(shown, known, n=3, cutoff=0.5)
    bare = shown.rsplit("/", 1)[-1]
    near += [k for k in known if k.rsplit("/", 1)[-1] == bare and k not in near][:3]
    hint = f"did you mean {' or '.join(near[:3])}?" if near else "'mlvc ls' lists what there is"
    return NotFoundError(f"there is no artifact or registered model '{shown}' here", hint=hint)


def version(workspace: Workspace, view: View, text: str) -> Member:
    """Returns the version that a typed reference means, as the collection shows it.

    Raises:
        InvalidNameError: the text is no reference.
        NotFoundError: no such collection, number, alias or id.
        ConflictError: an id prefix fits several versions.
    """
    wanted = reference.parse_version(text)
    collection = existing_collection(workspace, view, wanted)
    shown = names.display_collection(collection, workspace.project)
    if wanted.prefix is not None:
        return _by_prefix(view, collection, shown, wanted.prefix)
    if wanted.number is not None:
        return _by_number(view, collection, shown, wanted.number)
    alias = wanted.selector or names.LATEST
    answered = view.alias(collection, alias)
    member = view.member(collection, answered.version) if answered.version is not None else None
    if member is None:
        known = sorted(view.aliases(collection))
        near = _near(alias, known, n=3, cutoff=0.4) or known[:_SHOWN]
        hint = f"its aliases are {', '.join(near)}" if near else "it has no versions any more"
        raise NotFoundError(f"{shown} has no alias '{alias}'", hint=hint)
    return member


def _by_number(view: View, collection: str, shown: str, number: int) -> Member:
    member = view.member_by_number(collection, number)
    if member is not None:
        return member
    if view.was_numbered(collection, number):
        raise NotFoundError(f"{shown}:v{number} was deleted", hint=f"'mlvc log {shown}' lists what is left")
    newest = next(iter(view.members(collection, newest_first=True)), None)
    hint = f"the newest is {newest.label}" if newest else "it has no versions any more"
    raise NotFoundError(f"{shown} has no version v{number}", hint=hint)


def _by_prefix(view: View, collection: str, shown: str, prefix: str) -> Member:
    found = view.versions_by_prefix(collection, prefix)
    if not found:
        raise NotFoundError(f"{shown} has no version with an id that begins with {prefix}")
    if len(found) > 1:
        ids = ", ".join(short(v, max(8, len(prefix) + 2)) for v in found[:_SHOWN])
        raise ConflictError(f"{shown}@{prefix} fits {len(found)} versions: {ids}", hint="give more digits")
    member = view.member(collection, found[0])
    assert member is not None, "it was listed as shown"
    return member


def run(workspace: Workspace, view: View, text: str) -> RunId:
    """Returns the run that a typed reference means: by id, label or name, finished or under way.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: a label or name that two runs bear, or a prefix that fits several.
    """
    wanted = reference.parse_run(text)
    project = wanted.project or workspace.project
    found = runs_found(workspace, view, project, wanted)
    if not found:
        known = [names_of_run for r in view.runs(project) for names_of_run in (r.label, str(workspace.value(r.facts.get("name", '""'))))]
        near = _near(wanted.text, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(f'run/{n}' for n in near)}?" if near else "'mlvc runs' lists what there is"
        raise NotFoundError(f"there is no run '{wanted.text}' in the project {project}", hint=hint)
    if len(found) > 1:
        ids = ", ".join(f"@{short(i, 12)}" for i in found)
        raise ConflictError(f"'{wanted.text}' is the name of {len(found)} runs: {ids}", hint="write run/@ and the first digits of one")
    return found[0]


def runs_found(workspace: Workspace, view: View, project: str, wanted: RunReference) -> list[RunId]:
    """Returns the runs that a reference may mean, finished or under way."""
    live = live_run.list_live(workspace.runs_folder)
    if wanted.prefix is not None:
        ids = {r.id for r in view.runs()} | {r.id for r in live}
        return sorted(i for i in ids if i.hex().startswith(wanted.prefix))
    found = view.runs_by_label(project, wanted.text)
    claimed = labels.find(workspace.repository.backend, project, wanted.text)
    if claimed is not None and claimed not in found and any(r.id == claimed for r in live):
        found.append(claimed)
    if found:
        return found
    found = view.runs_by_name(project, wanted.text)
    for one in live:
        beginning = one.beginning()
        if beginning and beginning.project == project and beginning.facts.get("name") == wanted.text and one.id not in found:
            found.append(one.id)
    return found


def version_or_run(workspace: Workspace, view: View, text: str) -> Member | RunId:
    """Returns what a typed name means: a run when it says so, else a version, else a run.

    Raises:
        NotFoundError: neither; the message is the version's.
    """
    if reference.says_run(text) or text.startswith("@"):
        return run(workspace, view, text)
    try:
        return version(workspace, view, text)
    except (NotFoundError, InvalidNameError) as error:
        try:
            return run(workspace, view, text)
        except (NotFoundError, InvalidNameError):
            raise error from None


def display(workspace: Workspace, member: Member) -> str:
    """Returns `name:v3` as it is printed."""
    return f"{names.display_collection(member.collection, workspace.project)}:{member.label}"


def display_version(workspace: Workspace, view: View, identifier: VersionId) -> str:
    """Returns `name:v3` for a version by id, by its source collection, or its short id when it is not shown any more."""
    source = view.source_collection(identifier)
    if source is None:
        return f"@{short(identifier)}"
    member = view.member(source, identifier)
    if member is None:
        return f"{names.display_collection(source, workspace.project)}@{short(identifier)} (deleted)"
    return display(workspace, member)
