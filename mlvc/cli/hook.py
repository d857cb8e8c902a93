"""`mlvc hook NAME`: what Git's hooks call. It starts fast, breaks nothing, and refuses only what it is there to refuse.

It stands beside the other verbs, not among them: most of the time there is nothing to do, and loading them would cost more than looking.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlvc import wording
from mlvc.errors import Error
from mlvc.working_tree import placed_pins

if TYPE_CHECKING:
    from mlvc.git.commits import RefUpdate
    from mlvc.workspace.workspace import Workspace

SKIP_VARIABLE = "MLVC_SKIP"
_TRAILERS_VARIABLE = "MLVC_TRAILERS"
_LOCK = "mlvc.lock"
_SHOWN = 5
DONE, REFUSED = 0, 1

_FOLLOWING = ("post-checkout", "post-merge", "post-rewrite", "post-commit")


def run(arguments: Sequence[str]) -> int:
    """Runs one hook; returns its exit code: 1 refuses, and only `pre-commit`, `pre-push` and `merge-lock` do.

    Args:
        arguments: the hook's name, then what Git gave it.
    """
    name, given = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if name == "merge-lock":
        return _merge_lock(given)
    if name not in _HOOKS:
        _say(f"there is no hook '{name}': expected one of {', '.join((*_HOOKS, 'merge-lock'))}")
        return 2
    if _is_skipped(name) or (name in _FOLLOWING and _has_nothing_to_do(name)) or (name == "prepare-commit-msg" and not _may_want_trailers()):
        return DONE
    try:
        if name == "pre-push":
            given = _commits_that_pin(given)
            if not given:
                return DONE
        workspace = _workspace()
        if workspace is None:
            return DONE
        try:
            return _HOOKS[name](workspace, given)
        finally:
            workspace.close()
    except Error as error:
        return _failed(name, error.message, error.hint)
    except (OSError, ValueError, KeyError, MemoryError) as error:  # Git goes on, whatever is wrong here
        return _failed(name, f"{type(error).__name__}: {error}", "'mlvc fsck' looks for damage")


def _failed(name: str, message: str, hint: str | None) -> int:
    _say(f"{name}: {message}", *([f"hint: {hint}"] if hint else []))
    return DONE


def _say(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"mlvc: {line}\n")


def _is_skipped(name: str) -> bool:
    said = os.environ.get(SKIP_VARIABLE, "")
    return said.lower() in ("1", "true", "yes", "all") or name in said.split(",")


def _workspace() -> Workspace | None:
    from mlvc.errors import NotFoundError
    from mlvc.workspace import opening

    try:
        return opening.find(Path.cwd(), os.environ, may_fork=False)
    except NotFoundError:
        return None  # a repository without mlvc


# -- nothing to do ------------------------------------------------------------------------------------------------------


def _has_nothing_to_do(name: str) -> bool:
    """Tells, without opening anything, whether the files are in line already. Git runs these hooks at the top of the working tree."""
    private = _git_dir()
    if private is None or not placed_pins.is_followed(Path(_LOCK), private / placed_pins.FILE_NAME):
        return False
    return name != "post-commit" or not _may_have_runs(private)


def _git_dir() -> Path | None:
    named = os.environ.get("GIT_DIR")
    if named:
        return Path(named)
    dot = Path(".git")
    if dot.is_dir():
        return dot
    try:
        said = dot.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return Path(said.removeprefix("gitdir:").strip()) if said.startswith("gitdir:") else None


def _may_have_runs(private: Path) -> bool:
    try:
        common = private / (private / "commondir").read_text(encoding="utf-8").strip()
    except OSError:
        common = private
    store = common / "mlvc"
    if store.is_file() or os.environ.get("MLVC_DIR"):
        return True  # elsewhere: look properly
    try:
        return any(not name.startswith(".") for name in os.listdir(store / "runs"))
    except OSError:
        return False


def _may_want_trailers() -> bool:
    try:
        return bool(os.environ.get(_TRAILERS_VARIABLE)) or b"trailers" in Path("mlvc.toml").read_bytes()
    except OSError:
        return False


def _commits_that_pin(given: list[str]) -> list[str]:
    """Returns the commits that a push sends and that change what is pinned."""
    from mlvc.git import commits

    remote = given[0] if given else os.environ.get("PRE_COMMIT_REMOTE_NAME", "")
    return commits.sent(Path.cwd(), remote, _updates(os.environ), _LOCK)


# -- following ----------------------------------------------------------------------------------------------------------


def _post_checkout(workspace: Workspace, given: list[str]) -> int:
    before = given[0] if given else os.environ.get("PRE_COMMIT_FROM_REF", "")
    if workspace.checkout is None or not workspace.checkout.is_rebasing():
        _follow(workspace, before if before.strip("0") else None)
    return DONE


def _post_merge(workspace: Workspace, _: list[str]) -> int:
    _follow(workspace, "ORIG_HEAD")
    return DONE


def _post_rewrite(workspace: Workspace, _: list[str]) -> int:
    _follow(workspace, "ORIG_HEAD")
    return DONE


def _post_commit(workspace: Workspace, _: list[str]) -> int:
    from mlvc.workspace import tying

    for label in tying.tie_to_head(workspace):
        _say(f"run {label} is tied to this commit")
    if workspace.checkout is None or not workspace.checkout.is_rebasing():
        _follow(workspace, None)  # a cherry-pick or revert moves pins, and has no hook of its own
    return DONE


def _follow(workspace: Workspace, before: str | None) -> None:
    from mlvc.workspace import following

    if following.is_done(workspace):
        return
    done = following.follow(workspace, before, may_fetch=workspace.settings.hooks.fetch)
    if done.written or done.removed:
        removed = f", {done.removed:,} removed" if done.removed else ""
        _say(f"{done.written:,} file{'' if done.written == 1 else 's'} written{removed}, as mlvc.lock says")
    if done.kept:
        _say(f"{_some(done.kept)}: changed, and saved nowhere, so left as it is; 'mlvc add' saves it, 'mlvc checkout --force' throws it away")
    if done.left:
        _say(f"{_some(done.left)}: not pinned here, and holds changes that are saved nowhere, so left as it is")
    if done.absent:
        _say(f"{_some(done.absent)}: not here; 'mlvc fetch' and 'mlvc checkout' bring it")
    for path, why in done.failed.items():
        _say(f"{path}: {why}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(name.replace("\n", "\\n") for name in names[:_SHOWN]) + more


# -- before a commit ----------------------------------------------------------------------------------------------------


def _pre_commit(workspace: Workspace, _: list[str]) -> int:
    from mlvc.workspace import guarding
    from mlvc.workspace.configuration import IGNORE, REFUSE

    if workspace.checkout is not None and not workspace.checkout.is_rebasing():
        _follow(workspace, None)  # a merge that stopped, or made no commit, has moved pins, and called no hook
    refused = False
    new = guarding.new_files(workspace)
    both = guarding.pinned_files(workspace, new)
    if both:
        refused = True
        names = [file.path for file in both]
        _say(f"{_some(names)}: pinned by mlvc.lock, and about to be kept by Git too", f"hint: {guarding.ignoring(both)}")
    big = guarding.big_files(workspace, [file for file in new if file not in both])
    if big:
        refused = True
        where = os.environ.get("GIT_PREFIX", "")
        named = [f"{file.path} ({wording.size(file.size)})" for file in big]
        _say(
            f"Git's history would keep {_some(named)} for ever",
            f"hint: {guarding.advice(big, where)}",
            "hint: hooks.allow and hooks.max_file_size in mlvc.toml say what may pass; 'git commit --no-verify' passes this once",
        )
    policy = workspace.settings.hooks.changed_pins
    changed = guarding.changed_pins(workspace) if policy != IGNORE else []
    stale = [one.pin.path for one in changed if one.is_stale]
    other = [one.pin.path for one in changed if not one.is_stale]
    if stale:
        _say(f"{_some(stale)}: the pin in mlvc.lock is newer than the one that is committed", f"hint: {_how_to_commit_the_lock()}")
    if other:
        _say(
            f"{_some(other)}: changed since it was pinned, and the commit would say otherwise",
            f"hint: 'mlvc add {other[0]}' saves and pins it, 'mlvc diff' shows what changed; 'git commit --no-verify' passes this once",
        )
    return REFUSED if refused or (changed and policy == REFUSE) else DONE


def _how_to_commit_the_lock() -> str:
    """Returns what to type; a commit of some files only has an index of its own, with the lock file of HEAD."""
    is_partial = os.path.basename(os.environ.get("GIT_INDEX_FILE", "")).startswith("next-index")
    return f"name {_LOCK} too: git commit {_LOCK} ..." if is_partial else f"git add {_LOCK}"


def _prepare_commit_msg(workspace: Workspace, given: list[str]) -> int:
    from mlvc.workspace import tying

    source = given[1] if len(given) > 1 else os.environ.get("PRE_COMMIT_COMMIT_MSG_SOURCE", "")
    asked = workspace.settings.hooks.trailers or os.environ.get(_TRAILERS_VARIABLE, "") not in ("", "0")
    if given and asked and source not in ("merge", "squash"):
        tying.add_trailers(workspace, Path(given[0]), amended=given[2] if len(given) > 2 else None)
    return DONE


# -- before a push ------------------------------------------------------------------------------------------------------


def _pre_push(workspace: Workspace, commits: list[str]) -> int:
    from mlvc.errors import NotFoundError
    from mlvc.workspace import pushing_pins
    from mlvc.workspace.configuration import IGNORE, REFUSE

    policy = workspace.settings.hooks.push
    if policy == IGNORE:
        return DONE
    pins = pushing_pins.pinned_by(workspace, commits)
    if not pins:
        return DONE
    skip = "MLVC_SKIP=1 git push"
    hints: list[str] = []
    try:
        done = pushing_pins.push(workspace, pins)
    except Error as error:
        problem = f"what these commits pin cannot be pushed: {error.message}"
        hints += [error.hint] if error.hint and not isinstance(error, NotFoundError) else []
    else:
        if done.pushed is not None:
            _say(f"pushed {done.pushed.transactions or done.pushed.left or 0:,} changes, {done.pushed.size_bytes / 1e6:,.1f} MB, to {workspace.settings.upstream}")
        if not done.lacking:
            return DONE
        problem = f"these commits pin what is in no remote: {_some(done.lacking)}"
        if workspace.settings.upstream is None:
            hints.append("'mlvc remote add origin URL' says where data goes")
        elif pushing_pins.has_nowhere_to_go(workspace):
            hints.append(f"'{workspace.settings.upstream}' keeps names only; 'mlvc remote add data URL' says where data goes")
        else:
            hints.append("'mlvc pull' may bring what is not known here, 'mlvc push' says what is missing")
    _say(problem, *(f"hint: {hint}" for hint in hints), f'hint: {skip} pushes without; hooks.push = "warn" in mlvc.toml always does')
    return REFUSED if policy == REFUSE else DONE


def _updates(environment: Mapping[str, str]) -> list[RefUpdate]:
    from mlvc.git.commits import RefUpdate

    if "PRE_COMMIT_TO_REF" in environment:  # the pre-commit framework reads Git's words itself
        return [RefUpdate(environment["PRE_COMMIT_TO_REF"], environment.get("PRE_COMMIT_FROM_REF", "0"))]
    if "PRE_COMMIT_LOCAL_BRANCH" in environment:  # a branch that is pushed with its first commit
        return [RefUpdate(environment["PRE_COMMIT_LOCAL_BRANCH"], "0")]
    lines = [] if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().splitlines()
    fields = [line.split() for line in lines]
    return [RefUpdate(one[1], one[3]) for one in fields if len(one) == 4]


# -- merging ------------------------------------------------------------------------------------------------------------


def _merge_lock(given: list[str]) -> int:
    """Git's merge driver: %O %A %B %L %P. Exits with 1 for conflicts; what is no lock file is merged as text."""
    if len(given) < 4:
        _say("merge-lock: expected base, ours, theirs and the markers' size, as Git gives them")
        return 2
    from mlvc import git_program
    from mlvc.workspace import settling

    base, ours, theirs = (Path(text) for text in given[:3])
    size = int(given[3]) if given[3].isdecimal() else 7
    try:
        workspace = _workspace()
    except Error:
        workspace = None  # the merge is the same, it says less of each side
    try:
        count = settling.merge_files(base, ours, theirs, names=("ours", "theirs"), size=size, workspace=workspace)
    except Error as error:
        _say(f"merge-lock: {error.message}; merged as text")
        clean = git_program.git(["merge-file", f"--marker-size={size}", str(ours), str(base), str(theirs)], cwd=Path.cwd(), check=False)
        return DONE if clean is not None else REFUSED
    finally:
        if workspace is not None:
            workspace.close()
    if count:
        _say(f"{count} path{'' if count == 1 else 's'} in conflict in mlvc.lock; 'mlvc resolve' shows both sides and takes one")
    return REFUSED if count else DONE


_HOOKS: dict[str, Callable[[Workspace, list[str]], int]] = {
    "pre-commit": _pre_commit,
    "prepare-commit-msg": _prepare_commit_msg,
    "post-commit": _post_commit,
    "post-checkout": _post_checkout,
    "post-merge": _post_merge,
    "post-rewrite": _post_rewrite,
    "pre-push": _pre_push,
}
