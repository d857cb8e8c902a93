"""The Git checkout a person works in: where it is, what it tracks, which code it holds."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file, git_program

_CREDENTIALS = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.\-]*://)[^/]*@")


class CodeState(Struct, frozen=True):
    """Which code ran.

    Attributes:
        commit: full hash, or None before the first commit.
        branch: None when HEAD is detached.
        remote: the URL of `origin` without credentials, or None.
        is_dirty: whether tracked files differ from the commit.
        has_untracked: whether there are files that Git neither tracks nor ignores.
    """

    commit: str | None
    branch: str | None
    remote: str | None
    is_dirty: bool
    has_untracked: bool = False


class Checkout(Struct, frozen=True):
    """A Git working tree.

    Attributes:
        root: its top folder.
        common_dir: the `.git` folder that all worktrees share.
        git_dir: what belongs to this worktree alone; `common_dir` in the main one.
    """

    root: Path
    common_dir: Path
    git_dir: Path

    def code_state(self) -> CodeState:
        """Returns which code the checkout holds now."""
        said = git_program.git(["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"], cwd=self.root, check=False) or b""
        lines = [line.decode(errors="backslashreplace") for line in said.split(b"\0")]
        head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
        commit, branch = head.get("branch.oid"), head.get("branch.head")
        remote = git_program.line(["config", "--get", "remote.origin.url"], cwd=self.root)
        return CodeState(
            None if commit == "(initial)" else commit,
            None if branch == "(detached)" else branch,
            without_credentials(remote) if remote else None,
            any(line.startswith(("1 ", "2 ", "u ")) for line in lines),
            any(line.startswith("? ") for line in lines),
        )

    def remote_urls(self) -> set[str]:
        """Returns the URLs of Git's own remotes, as they are written."""
        out = git_program.git(["config", "--get-regexp", "--null", r"^remote\..*\.url$"], cwd=self.root, check=False) or b""
        return {os.fsdecode(item).partition("\n")[2] for item in out.split(b"\0") if item}

    def is_rebasing(self) -> bool:
        """Tells whether steps of a rebase or `git am` are to come here: Git moves HEAD at each, and ends with a hook of its own.

        A rebase that only moves the branch has no step, and no such hook either.
        """
        if (self.git_dir / "rebase-apply").exists():
            return True
        try:
            steps = (self.git_dir / "rebase-merge" / "git-rebase-todo").read_bytes().splitlines()
        except OSError:
            return (self.git_dir / "rebase-merge").exists()
        return any(step.strip() and not step.startswith(b"#") and step.strip() != b"noop" for step in steps)

    def tracks(self, path: Path) -> bool:
        """Tells whether Git tracks a file, or something in a folder."""
        out = git_program.git(["--literal-pathspecs", "ls-files", "--", str(path)], cwd=self.root, check=False)
        return bool(out)

    def hides(self, path: Path) -> bool:
        """Tells whether Git tracks a file that a sparse checkout leaves out."""
        out = git_program.git(["--literal-pathspecs", "ls-files", "-t", "--", str(path)], cwd=self.root, check=False)
        return (out or b"").startswith(b"S ")

    def ignores(self, path: Path) -> bool:
        """Tells whether Git's ignore rules cover a path already."""
        return git_program.git(["check-ignore", "--quiet", "--no-index", "--", str(path)], cwd=self.root, check=False) is not None

    def keep_away_from(self, path: Path) -> None:
        """Adds a path to the `.gitignore` beside it, unless Git ignores it already."""
        if self.ignores(path):
            return
        ignore_file = path.parent / ".gitignore"
        before = ignore_file.read_bytes() if ignore_file.exists() else b""  # Git asks for no encoding, nor do we
        if before and not before.endswith(b"\n"):
            before += b"\n"
        atomic_file.replace(ignore_file, before + os.fsencode(_ignore_pattern(path.name)) + b"\n")


def _ignore_pattern(name: str) -> str:
    escaped = re.sub(r"[\n\r]", "?", re.sub(r"([\\*?\[])", r"\\\1", name))  # a pattern is a line
    trailing = len(escaped) - len(escaped.rstrip(" "))
    return "/" + escaped.rstrip(" ") + "\\ " * trailing


def discover(start: Path) -> Checkout | None:
    """Returns the Git working tree that holds a folder, or None.

    Raises:
        GitError: there is one, and Git refuses to work in it (for instance because another user owns it).
    """
    asked = ["--is-inside-work-tree", "--git-common-dir", "--git-dir", "--show-toplevel"]
    arguments = ["rev-parse", "--path-format=absolute"]
    out = git_program.git([*arguments, *asked], cwd=start, check=False)
    if out is None:
        if _has_git_folder_above(start):
            inside = git_program.git(["rev-parse", "--is-inside-work-tree"], cwd=start)
            if inside is None or inside.strip() != b"true":
                return None
            git_program.git([*arguments, *asked], cwd=start)
        return None
    answers = os.fsdecode(out).split("\n")[:-1]
    if len(answers) != len(asked):  # a folder's name holds a line end
        answers = [os.fsdecode(git_program.git([*arguments, one], cwd=start) or b"").removesuffix("\n") for one in asked]
    inside_text, common, private, root = answers
    return Checkout(Path(root), Path(common), Path(private)) if inside_text == "true" else None


def _has_git_folder_above(start: Path) -> bool:
    return any((folder / ".git" / "HEAD").exists() for folder in (start, *start.parents))


def identity(cwd: Path) -> str | None:
    """Returns `Name <e-mail>` as Git would sign a commit here, or None when it knows of nobody."""
    out = git_program.line(["var", "GIT_AUTHOR_IDENT"], cwd=cwd)
    return out.rsplit(" ", 2)[0] if out else None


def without_credentials(url: str) -> str:
    """Returns a URL with user name, password and token cut out of it."""
    return _CREDENTIALS.sub(r"\1", url)
