"""Git's hooks: putting mlvc's small scripts where Git runs them, beside whatever is there, and taking them away again."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file, git_program
from mlvc.errors import ConflictError, local_file_error

NAMES = ("pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")
_MARK = b"# mlvc hook"
_BEFORE = ".before-mlvc"
"""What a hook that was there is called while mlvc's stands in its place, and calls it."""

DRIVER = "mlvc-lock"
_ATTRIBUTES = ("# mlvc: how Git merges what mlvc writes", f"mlvc.lock text eol=lf merge={DRIVER}", ".gitignore merge=union")
_PROGRAM = "mlvc.program"
_MERGE = (
    'if command -v mlvc >/dev/null 2>&1; then mlvc hook merge-lock %O %A %B %L %P; '
    'elif p=$(git config mlvc.program) && [ -x "$p" ]; then "$p" hook merge-lock %O %A %B %L %P; '
    "else git merge-file --marker-size=%L %A %O %B; fi"
)

INSTALLED, OTHER, ABSENT, OLD = "installed", "not mlvc's", "not installed", "of another version of mlvc"
UNUSABLE = "not executable, so Git passes it over"


class Place(Struct, frozen=True):
    """Where Git looks for hooks.

    Attributes:
        folder: absolute.
        is_everyone_s: whether it is set for all of this user's, or machine's, repositories.
        manager: the program that manages hooks there (`husky`, `lefthook`, `pre-commit`), or None.
    """

    folder: Path
    is_everyone_s: bool
    manager: str | None


class HookState(Struct, frozen=True):
    """One hook: `state` is one of `INSTALLED`, `UNUSABLE`, `OLD`, `OTHER`, `ABSENT`; whether an older hook is chained."""

    name: str
    state: str
    is_chained: bool


def scripts() -> Path:
    """Returns the folder of the scripts: in the installed package, or beside it in a checkout of mlvc."""
    packaged = Path(str(resources.files("mlvc.git") / "hooks"))
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "hooks"


def place(cwd: Path) -> Place:
    """Returns where Git runs hooks from, for a folder of a working tree or a bare repository. GitError outside of both."""
    found = os.fsdecode(git_program.git(["rev-parse", "--git-path", "hooks"], cwd=cwd) or b"").removesuffix("\n")
    top = git_program.git(["rev-parse", "--show-toplevel"], cwd=cwd, check=False)
    root = Path(os.fsdecode(top).removesuffix("\n")) if top else cwd
    configured = git_program.line(["config", "--show-scope", "--get", "core.hooksPath"], cwd=cwd)
    folder = Path(os.path.abspath(cwd / os.path.expanduser(found)))
    scope = configured.split()[0] if configured else "local"
    return Place(folder, scope in ("global", "system"), _manager(root, folder))


_LEFTHOOK = ("lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook.toml", "lefthook.json")


def _manager(root: Path, folder: Path) -> str | None:
    if ".husky" in folder.parts:
        return "husky"
    if any((root / name).is_file() for name in _LEFTHOOK):
        return "lefthook"
    if (root / ".pre-commit-config.yaml").is_file():
        return "pre-commit"
    return None


def state(folder: Path) -> list[HookState]:
    """Returns what stands for each hook in a folder."""
    return [HookState(name, _state(folder / name, name), os.path.lexists(folder / f"{name}{_BEFORE}")) for name in NAMES]


def _state(path: Path, name: str) -> str:
    data = _read(path)
    if data is None:
        return ABSENT
    if data == (scripts() / name).read_bytes():
        return INSTALLED if os.access(path, os.X_OK) else UNUSABLE
    return OLD if _is_ours(data) else OTHER


def _is_ours(data: bytes) -> bool:
    return any(line.startswith(_MARK) for line in data.splitlines()[:3])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b"" if path.is_symlink() else None  # a link to what is not there just now is somebody's hook
    except NotADirectoryError:
        return None
    except OSError as error:
        raise local_file_error(error, f"read {path}") from error


def install(folder: Path) -> list[HookState]:
    """Puts mlvc's hooks into a folder; one that is there stays, under another name, and is called first.

    Raises:
        ConflictError: a hook is there, and another one is kept already under that name; nothing was changed.
    """
    atomic_file.make_folder(folder)
    foreign = [name for name in NAMES if (data := _read(folder / name)) is not None and not _is_ours(data)]
    for name in foreign:
        kept = folder / f"{name}{_BEFORE}"
        if os.path.lexists(kept):
            raise ConflictError(
                f"{folder / name} is not mlvc's, and {kept.name} beside it keeps an older hook",
                hint="one of the two has to go: rename or remove it, then install again",
            )
    for name in foreign:
        os.rename(folder / name, folder / f"{name}{_BEFORE}")
    for name in NAMES:
        atomic_file.replace(folder / name, (scripts() / name).read_bytes())
        (folder / name).chmod(0o755)
    return state(folder)


def uninstall(folder: Path) -> list[str]:
    """Removes mlvc's hooks from a folder, and puts back those that were there; returns the names of those removed."""
    removed = []
    for name in NAMES:
        data = _read(folder / name)
        if data is not None and _is_ours(data):
            atomic_file.remove(folder / name)
            removed.append(name)
            before = folder / f"{name}{_BEFORE}"
            if os.path.lexists(before):
                os.rename(before, folder / name)
    return removed


# -- merging mlvc.lock --------------------------------------------------------------------------------------------------


def install_driver(cwd: Path, program: str) -> None:
    """Tells this repository's Git how `mlvc.lock` is merged; where mlvc is missing later, Git merges it as text."""
    git_program.git(["config", "--local", _PROGRAM, program], cwd=cwd)
    git_program.git(["config", "--local", f"merge.{DRIVER}.name", "mlvc.lock, path by path"], cwd=cwd)
    git_program.git(["config", "--local", f"merge.{DRIVER}.driver", _MERGE], cwd=cwd)
    path = _attributes(cwd)
    lines = _lines(path)
    missing = [line for line in _ATTRIBUTES if line not in lines]
    if missing:
        _write_lines(path, [*lines, *missing])


def uninstall_driver(cwd: Path) -> None:
    """Takes away what `install_driver` said."""
    git_program.git(["config", "--local", "--remove-section", f"merge.{DRIVER}"], cwd=cwd, check=False)
    git_program.git(["config", "--local", "--unset-all", _PROGRAM], cwd=cwd, check=False)
    path = _attributes(cwd)
    lines = _lines(path)
    if any(line in lines for line in _ATTRIBUTES):
        _write_lines(path, [line for line in lines if line not in _ATTRIBUTES])


def has_driver(cwd: Path) -> bool:
    """Tells whether Git merges `mlvc.lock` with mlvc here."""
    return git_program.line(["config", "--get", f"merge.{DRIVER}.driver"], cwd=cwd) is not None and _ATTRIBUTES[1] in _lines(_attributes(cwd))


def _attributes(cwd: Path) -> Path:
    found = os.fsdecode(git_program.git(["rev-parse", "--git-path", "info/attributes"], cwd=cwd) or b"").removesuffix("\n")
    return Path(os.path.abspath(cwd / found))


def _lines(path: Path) -> list[str]:
    data = _read(path)
    return [] if data is None else os.fsdecode(data).split("\n")[: None if data[-1:] != b"\n" else -1]


def _write_lines(path: Path, lines: list[str]) -> None:
    atomic_file.make_folder(path.parent)
    atomic_file.replace(path, os.fsencode("".join(f"{line}\n" for line in lines)))
