"""What the pages can change: each a transaction of its own, which the next page offers to undo."""

from __future__ import annotations

from collections.abc import Callable
from secrets import compare_digest
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mlvc.errors import NotFoundError, UsageError
from mlvc.fold.questions import Member, View
from mlvc.format import names
from mlvc.format.ids import VersionId
from mlvc.format.operations import Move
from mlvc.web import addresses, rendering
from mlvc.web.site import Site
from mlvc.workspace import registry, undoing
from mlvc.workspace.workspace import Workspace


class Change:
    """One change that was asked for: the workspace, the form, and the version that it is about."""

    def __init__(self, workspace: Workspace, view: View, form: FormData) -> None:
        self.workspace = workspace
        self.form = form
        self.collection = self.text("collection")
        said = self.text("version")
        self.is_about_collection = not said
        self.member: Member | None = None
        if said:
            try:
                version = VersionId(bytes.fromhex(said))
            except ValueError:
                raise UsageError("the form names no version") from None
            self.member = view.member(self.collection, version)

    def text(self, name: str) -> str:
        """Returns a field of the form."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def require_member(self) -> Member:
        """Returns the version that it is about; NotFoundError when it is gone meanwhile."""
        if self.member is None:
            raise NotFoundError("that version is not there any more", hint="somebody may have deleted or unlinked it; reload the page")
        return self.member


def act(request: Request, form: FormData) -> Response:
    """Makes a change, and leads back to the page that it was asked on."""
    site = rendering.site_of(request)
    if site.is_read_only:
        raise UsageError("these pages change nothing: 'mlvc ui' was started with --read-only")
    secret = form.get("secret", "")
    if not isinstance(secret, str) or not compare_digest(secret.encode(), site.secret.encode()):
        raise UsageError("this form is not of these pages, or 'mlvc ui' was started anew since", hint="reload the page, and try again")
    name = str(request.path_params["action"])
    if name not in ACTIONS:
        raise NotFoundError(f"there is no action '{name}'")
    back = _safe(str(form.get("back") or "/"))
    with site.alone() as workspace:
        before = _latest(site)
        with workspace.repository.reading() as view:
            change = Change(workspace, view, form)
        to = ACTIONS[name](change) or back
        after = _latest(site)
    done = after if after != before else ""
    return RedirectResponse(addresses.with_query(to.partition("?")[0], [("done", done)]), 303)


def _safe(path: str) -> str:
    """Returns a path of this site, or the first page where it is none."""
    is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path and not any(ord(c) < 33 for c in path)
    return path if is_own else "/"


def _latest(site: Site) -> str:
    with site.reading() as view:
        found = next(iter(view.transactions()), None)
        return "" if found is None else found.id.hex()


def _add_alias(change: Change) -> str | None:
    member = change.require_member()
    alias = names.check_alias(change.text("alias"))
    if alias == names.LATEST:
        raise UsageError("'latest' always means the version published last")
    with change.workspace.repository.reading() as view:
        now = view.alias(member.collection, alias)
        before = None if now.version is None else view.member(member.collection, now.version)
    if before is not None and before.version == member.version and not now.in_conflict:
        return None  # that is what it says already
    moved = f", which was on {before.label}" if before is not None else ""
    _say(change, f"alias {alias} on {member.label}{moved}", lambda view: registry.moves_onto(view, member, [alias]))
    return None


def _remove_alias(change: Change) -> str | None:
    member = change.require_member()
    registry.remove_aliases(change.workspace, member.collection, [change.text("alias")], f"mlvc ui: remove alias {change.text('alias')}")
    return None


def _decide(change: Change) -> str | None:
    alias = names.check_alias(change.text("alias"))
    version = None if change.member is None else change.member.version
    _say(change, f"decide {alias}", lambda view: [Move(change.collection, alias, version, view.moves_to_name(change.collection, alias))])
    return None


def _say(change: Change, what: str, build: Callable[[View], list[Any]]) -> None:
    with change.workspace.committing(f"mlvc ui: {what}") as commit:
        commit.say_with(build)


def _tags(change: Change, build: Callable[[list[str]], list[str]], what: str) -> None:
    """Makes the tags of a version, or of a collection where the form names no version, be what `build` makes of them."""
    with change.workspace.repository.reading() as view:
        have = list(view.collection_details(change.collection)[1] if change.is_about_collection else view.tags(change.require_member().version))
    if change.is_about_collection:
        registry.edit_collection(change.workspace, change.collection, f"mlvc ui: {what}", tags=build(have))
    else:
        registry.edit_version(change.workspace, change.require_member().version, f"mlvc ui: {what}", tags=build(have))


def _add_tag(change: Change) -> str | None:
    tag = names.check_tag(change.text("tag"))
    _tags(change, lambda have: [*have, tag], f"tag {tag}")
    return None


def _remove_tag(change: Change) -> str | None:
    gone = change.text("tag")
    _tags(change, lambda have: [tag for tag in have if tag != gone], f"remove tag {gone}")
    return None


def _describe(change: Change) -> str | None:
    description = change.text("description").replace("\r\n", "\n")
    if change.is_about_collection:
        registry.edit_collection(change.workspace, change.collection, "mlvc ui: describe", description=description)
    else:
        registry.edit_version(change.workspace, change.require_member().version, "mlvc ui: describe", description=description)
    return None


def _link(change: Change) -> str | None:
    member = change.require_member()
    model = change.text("model").removeprefix("registry/")
    target = f"registry:{names.DEFAULT_REGISTRY}/{names.check_artifact_name(model)}"
    aliases = [names.check_alias(alias) for alias in change.text("aliases").replace(",", " ").split()]
    linked = registry.link(change.workspace, member.version, target, aliases, f"mlvc ui: link to registry/{model}")
    return addresses.version(linked.collection, linked.label)


def _unlink(change: Change) -> str | None:
    member = change.require_member()
    registry.unlink(change.workspace, member, "mlvc ui: unlink")
    return addresses.collection(member.collection)


def _delete(change: Change) -> str | None:
    member = change.require_member()
    registry.delete_version(change.workspace, member, "mlvc ui: delete", with_names=True)
    return addresses.collection(member.collection)


def _undo(change: Change) -> str | None:
    undoing.undo(change.workspace, change.text("transaction"), "mlvc ui: undo")
    return None


ACTIONS: dict[str, Callable[[Change], str | None]] = {
    "add-alias": _add_alias,
    "remove-alias": _remove_alias,
    "decide": _decide,
    "add-tag": _add_tag,
    "remove-tag": _remove_tag,
    "describe": _describe,
    "link": _link,
    "unlink": _unlink,
    "delete": _delete,
    "undo": _undo,
}
