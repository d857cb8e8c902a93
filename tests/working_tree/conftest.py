"""A working tree for the tests: a real Git repository with a workspace in it."""

import os
import subprocess
from pathlib import Path

import pytest

from mlvc.workspace import checking_out, pinning, resolving, undoing
from mlvc.workspace.workspace import Workspace

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Tree:
    """Files, and the calls that the tests make on them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace, _ = Workspace.create(root, project="demo")

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True).stdout

    def write(self, path: str, data: bytes | str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def age(self, path: str) -> None:
        """Makes the cache trust the file: it was modified long before it is read."""
        os.utime(self.root / path, ns=(10**18, 10**18))

    def add(self, path: str, **named) -> pinning.Added:
        return pinning.add(self.workspace, self.root / path, f"mlvc add {path}", **named)

    def version(self, path: str, data: bytes | str, **named) -> pinning.Added:
        self.write(path, data)
        return self.add(path, **named)

    def checkout(self, *paths: str, force: bool = False) -> checking_out.CheckedOut:
        return checking_out.checkout(self.workspace, [self.root / p for p in paths], force=force)

    def checkout_version(self, reference: str, path: str | None = None, *, force: bool = False):
        return checking_out.checkout_version(self.workspace, reference, self.root / path if path else None, force=force)

    def undo(self, which: str | None = None, *, force: bool = False) -> undoing.Undone:
        return undoing.undo(self.workspace, which, "mlvc undo", force=force)

    def changes(self) -> list[tuple[str, str]]:
        return [(c.kind, c.path) for pin in pinning.status(self.workspace).pins for c in pin.changes]

    def pins(self) -> dict[str, str]:
        """Path -> what it holds, as `m:v0`."""
        return {pin.pin.path: pin.label for pin in pinning.status(self.workspace).pins}

    def label(self, added: pinning.Added) -> str:
        return resolving.display(self.workspace, added.member)

    def transactions(self) -> int:
        return len(list(self.view.transactions()))

    @property
    def view(self):
        return self.workspace.repository.view()


@pytest.fixture
def tree_at(monkeypatch):
    """Makes a working tree in a folder that is not there yet, and goes there."""
    for name in list(os.environ):
        if name.startswith(("MLVC_", "WANDB_", "GIT_")):
            monkeypatch.delenv(name)
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    made = []

    def make(root: Path) -> Tree:
        root.mkdir()
        monkeypatch.chdir(root)
        subprocess.run(["git", "init", "-q", "-b", "main", "."], cwd=root, check=True)
        made.append(Tree(root))
        return made[-1]

    yield make
    for tree in made:
        tree.workspace.close()


@pytest.fixture
def tree(tmp_path, tree_at):
    return tree_at(tmp_path / "work")
