"""`save` and `restore`: files that a run keeps beside its record."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mlvc.api import beginning
from mlvc.errors import NotFoundError
from mlvc.format.ids import RunId
from mlvc.workspace import resolving, run_questions
from mlvc.workspace.workspace import Workspace

LIVE, NOW, END = "live", "now", "end"


def save(folder: Path, pattern: str | os.PathLike[str], base_path: str | os.PathLike[str] | None, policy: str, *, is_glob: bool) -> list[str]:
    """Puts files into a run's folder: copies (`now`), or links, whose files are read when the run ends (`live`, `end`).

    Args:
        folder: of the run.
        pattern: a path, with wildcards if `is_glob`.
        base_path: what of each path is left out; default: the pattern's folder, for a relative pattern the current one.
        policy: `live`, `now` or `end`.
        is_glob: whether wildcards count.

    Returns:
        Where they lie now.

    Raises:
        ValueError: the policy is none, or a file does not lie below `base_path`.
    """
    if policy not in (LIVE, NOW, END):
        raise ValueError(f'Only "live", "now", and "end" policies are supported, found {policy!r}')
    text = os.fspath(pattern)
    if text.startswith(("gs://", "s3://")):
        return []
    wanted = Path.cwd() / text
    root = Path(base_path).absolute() if base_path is not None else wanted.parent if os.path.isabs(text) else Path.cwd()
    if base_path is not None and not os.path.isabs(text) and not wanted.is_relative_to(root):
        wanted = root / text
    kept = []
    for found in sorted(glob.glob(str(wanted)) if is_glob else [str(wanted)]):
        source = Path(found).absolute()
        if not source.is_relative_to(root):
            raise ValueError(f"{source} does not lie below {root}")
        for file in _files(source):
            target = folder / file.relative_to(root)
            _put(file, target, policy)
            kept.append(str(target))
    return kept


def _files(source: Path) -> Sequence[Path]:
    return sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]


def _put(file: Path, target: Path, policy: str) -> None:
    if target.exists() and target.samefile(file):
        return  # it was written into the run's folder
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if policy == NOW:
        shutil.copyfile(file, target)
    else:
        target.symlink_to(file)


def restore(workspace: Workspace, run: RunId, name: str, root: Path, *, replace: bool) -> IO[str]:
    """Writes a file that a run keeps below a folder, unless it is there already, and opens it.

    Raises:
        ValueError: the run keeps no such file.
    """
    target = root / name
    if replace or not target.exists():
        view = workspace.repository.view()
        found = next((kept for kept in run_questions.kept_files(workspace, view, run) if kept.path == name), None)
        if found is None:
            raise ValueError(f"File {name} not found in the run")
        target.parent.mkdir(parents=True, exist_ok=True)
        run_questions.write_kept(workspace, found, target)
    return target.open(encoding="utf-8", errors="replace")


def restore_by_path(name: str, run_path: str | None = None, replace: bool = False, root: str | None = None) -> IO[str] | None:
    """Fetches a file that a run kept, and opens it for reading.

    Args:
        name: as the run named it.
        run_path: `[entity/][project/]id`; default: the active run.
        replace: fetch it even if it is there.
        root: the folder to write it to; default: the active run's, or the current one.

    Raises:
        ValueError: no run is given and none active, or the run keeps no such file.
        CommError: there is no such run.
    """
    active = beginning.current()
    if run_path is None:
        if active is None:
            raise ValueError("run_path required when calling wandb.restore before wandb.init")
        found: IO[str] = active.restore(name, None, replace, root)
        return found
    workspace = beginning.open_or_make()
    with workspace.repository.reading() as view:
        run = resolving.run(workspace, view, run_path)
    folder = Path(root) if root is not None else Path(active.dir) if active is not None and not active.disabled else Path.cwd()
    try:
        return restore(workspace, run, name, folder, replace=replace)
    except NotFoundError as error:
        raise ValueError(error.message) from error
