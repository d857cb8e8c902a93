"""What `pre-commit` looks at: big files on their way into Git's history, and pins that do not say what the files are."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

from mlvc.errors import NotFoundError
from mlvc.fold.questions import View
from mlvc.git import staged
from mlvc.git.staged import StagedFile
from mlvc.working_tree import lock_file, placed_pins
from mlvc.working_tree import status as tree_status
from mlvc.working_tree.lock_file import Pin
from mlvc.working_tree.status import FileChange
from mlvc.workspace import comparing, contents, following
from mlvc.workspace.workspace import Workspace


def new_files(workspace: Workspace) -> list[StagedFile]:
    """Returns the staged files whose content a commit would add, mlvc's own left out."""
    found = [] if workspace.checkout is None else staged.new_files(workspace.checkout)
    return [file for file in found if file.path != lock_file.FILE_NAME]


def pinned_files(workspace: Workspace, found: Sequence[StagedFile]) -> list[StagedFile]:
    """Returns the staged files that `mlvc.lock` pins: with both keeping a path, a checkout of Git's would write over what mlvc keeps."""
    pins = lock_file.read(workspace.root) if found else {}
    return [file for file in found if any(file.path == path or file.path.startswith(f"{path}/") for path in pins)]


def big_files(workspace: Workspace, found: Sequence[StagedFile]) -> list[StagedFile]:
    """Returns the staged files that Git's history should not get, by size and by the patterns of `mlvc.toml`."""
    settings = workspace.settings.hooks
    refused, allowed = _matches(settings.refuse, found), _matches(settings.allow, found)
    bad = [file for file in found if (file.size > settings.max_file_bytes or file.path in refused) and file.path not in allowed]
    return [file for file in bad if file.path in refused or not staged.is_in_history(workspace.root, file.blob)]


def _matches(patterns: tuple[str, ...], files: Iterable[StagedFile]) -> set[str]:
    if not patterns:
        return set()
    import pathspec

    spec = pathspec.GitIgnoreSpec.from_lines(patterns)
    return {file.path for file in files if spec.match_file(file.path)}


def advice(files: Iterable[StagedFile], folder: str) -> str:
    """Returns the commands that give files to mlvc instead of Git, for somebody in a folder, from the top."""
    names = " ".join(shlex.quote(os.path.relpath(file.path, folder or ".")) for file in files)
    return f"git rm --cached -- {names} && mlvc add -- {names}" if " -" in f" {names}" else f"git rm --cached {names} && mlvc add {names}"


def ignoring(files: Iterable[StagedFile]) -> str:
    """Returns what leaves pinned files to mlvc."""
    names = " ".join(shlex.quote(file.path) for file in files)
    return f"git rm --cached -- {names}, and name them in .gitignore; or 'mlvc rm' gives them to Git"


class ChangedPin(Struct, frozen=True):
    """A pin that is about to be committed, whose files are something else.

    Attributes:
        pin: as staged.
        changes: how the files differ.
        is_stale: whether the files are what `mlvc.lock` in the working tree says, which is not staged.
    """

    pin: Pin
    changes: tuple[FileChange, ...]
    is_stale: bool


def changed_pins(workspace: Workspace) -> list[ChangedPin]:
    """Returns the staged pins whose files differ. A pin with no file here, as after a clone without data, does not.

    Nor does one whose files are what was pinned before, unchanged: Git moved the pin, and nobody meant the files to be otherwise.
    """
    pins = following.pins_at(workspace, "")
    if not pins:
        return []
    now = lock_file.read(workspace.root)
    placed = placed_pins.read(workspace.placed_path)
    found = []
    with workspace.repository.reading() as view:
        for pin in pins.values():
            changes = _changes(workspace, view, pin, is_placed=placed.get(pin.path) == pin)
            other, was = now.get(pin.path), placed.get(pin.path)
            is_behind = other == pin and was not in (None, pin) and was is not None and not _changes(workspace, view, was, is_placed=True)
            if changes and not is_behind:
                is_stale = other is not None and other != pin and not _changes(workspace, view, other, is_placed=True)
                found.append(ChangedPin(pin, changes, is_stale))
    return found


def _changes(workspace: Workspace, view: View, pin: Pin, *, is_placed: bool) -> tuple[FileChange, ...]:
    """Returns how files differ from a pin. Missing ones count where all of them were here once."""
    top = workspace.root / pin.path
    if not top.exists() or not comparing.is_known(view, pin.version):
        return ()
    try:
        manifest = contents.of(workspace, view, pin.version).manifest
    except NotFoundError:
        return ()
    found = tuple(tree_status.compare(pin, manifest, workspace.root, workspace.stat_cache))
    return found if is_placed else tuple(change for change in found if change.kind != tree_status.MISSING)


