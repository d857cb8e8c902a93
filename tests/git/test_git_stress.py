"""Hundreds of random Git operations with pins and hooks: after each, files are what HEAD pins, or `mlvc status` says what differs."""

import os
import random
from pathlib import Path

import pytest

from mlvc.working_tree import lock_file
from mlvc.workspace import pinning
from mlvc.workspace.workspace import Workspace

SEEDS = [int(seed) for seed in os.environ.get("MLVC_STRESS_SEEDS", "1").split(",")]
STEPS = int(os.environ.get("MLVC_STRESS_STEPS", "100"))
PATHS = ("model.bin", "data", "sub/deep.bin")


class Walk:
    """One random walk: what was written is remembered, so that nothing can vanish unnoticed."""

    def __init__(self, project, seed: int, tmp_path: Path) -> None:
        self.chance = random.Random(seed)
        self.main = project
        self.project = project
        self.trees = [project]
        self.branches = ["main"]
        self.folder = tmp_path
        self.count = 0
        self.unsaved: dict[tuple[Path, str], str] = {}

    def fresh(self) -> str:
        self.count += 1
        return f"content {self.count}\n"

    def path(self) -> str:
        chosen = self.chance.choice(PATHS)
        return f"{chosen}/part{self.chance.randrange(3)}.bin" if chosen == "data" else chosen

    def pinned(self) -> set[str]:
        text = (self.project.root / "mlvc.lock").read_text() if (self.project.root / "mlvc.lock").exists() else ""
        return {line.split("\t")[0] for line in text.splitlines() if "\t" in line}

    # -- what a person does ------------------------------------------------------------------------------------------

    def change_and_pin(self) -> str:
        path = self.path()
        self.project.write(path, self.fresh())
        self.unsaved.pop((self.project.root, path), None)
        pinned = "data" if path.startswith("data/") else path
        if pinned == "data":
            self.unsaved = {key: value for key, value in self.unsaved.items() if key[0] != self.project.root or not key[1].startswith("data/")}
        done = self.project.mlvc("add", pinned, code=None)
        assert done.code in (0, 3) or "Git tracks" in done.err, done.err
        return f"add {path}"

    def change_only(self) -> str:
        path = self.path()
        if ("data" if path.startswith("data/") else path) not in self.pinned():
            return "nothing to edit"
        self.project.write(path, self.fresh())
        self.unsaved[self.project.root, path] = self.project.read(path)
        return f"edit {path}"

    def commit(self) -> str:
        self.project.write(f"code{self.chance.randrange(3)}.py", self.fresh())
        self.project.git("add", "-A")
        done = self.project.git("commit", "-q", "-m", f"c{self.count}", code=None)
        if done.code and "changed since it was pinned" in done.err:
            done = self.project.git("commit", "-q", "-m", f"c{self.count}", code=None, MLVC_SKIP="1")
        tracked = set(self.project.git("ls-files").out.splitlines())  # what a branch does not ignore, Git has saved
        self.unsaved = {key: text for key, text in self.unsaved.items() if key[0] != self.project.root or key[1] not in tracked}
        return f"commit {done.code}"

    def branch(self) -> str:
        name = f"b{self.count}-{len(self.branches)}"
        if self.project.git("switch", "-q", "-c", name, code=None).code == 0:
            self.branches.append(name)
        return f"branch {name}"

    def switch(self) -> str:
        name = self.chance.choice(self.branches)
        done = self.project.git("switch", "-q", name, code=None)
        return f"switch {name} {done.code}"

    def detach(self) -> str:
        return f"detach {self.project.git('checkout', '-q', 'HEAD~1', code=None).code}"

    def merge(self) -> str:
        name = self.chance.choice(self.branches)
        done = self.project.git("merge", "-q", "-m", f"merge {name}", name, code=None)
        if done.code:
            self.finish_conflict("merge", "--abort")
        return f"merge {name} {done.code}"

    def rebase(self) -> str:
        name = self.chance.choice(self.branches)
        done = self.project.git("rebase", "-q", name, code=None)
        if done.code:
            self.project.git("rebase", "--abort", code=None)
        return f"rebase {name} {done.code}"

    def cherry_pick(self) -> str:
        done = self.project.git("cherry-pick", self.chance.choice(self.branches), code=None)
        if done.code:
            self.project.git("cherry-pick", "--abort", code=None)
            self.project.git("reset", "-q", "--merge", code=None)
        return f"cherry-pick {done.code}"

    def stash(self) -> str:
        done = self.project.git("stash", "-q", code=None)
        if self.chance.random() < 0.7:
            self.project.git("stash", "pop", "-q", code=None)
            self.drop_conflict()
        return f"stash {done.code}"

    def reset(self) -> str:
        return f"reset {self.project.git('reset', '-q', '--hard', code=None).code}"

    def worktree(self) -> str:
        if len(self.trees) < 3:
            place = self.folder / f"tree{self.count}"
            name = f"w{self.count}"
            if self.project.git("worktree", "add", "-q", "-b", name, str(place), code=None).code == 0:
                self.branches.append(name)
                self.trees.append(self.project.at(place))
        self.project = self.chance.choice(self.trees)
        return f"go to {self.project.root.name}"

    def bring_in_line(self) -> str:
        done = self.project.mlvc("checkout", code=None)
        assert done.code in (0, 3), done.err
        return f"mlvc checkout {done.code}"

    def finish_conflict(self, *abort: str) -> None:
        side = self.chance.choice(("--ours", "--theirs"))
        if "mlvc.lock" in self.project.git("diff", "--name-only", "--diff-filter=U").out:
            self.project.mlvc("resolve", side, code=None)
        if self.project.git("diff", "--name-only", "--diff-filter=U").out.strip():
            self.project.git("checkout", side, ".", code=None)
            self.project.git("add", "-A")
        done = self.project.git("commit", "-q", "--no-edit", code=None, MLVC_SKIP="pre-commit")
        if done.code:
            self.project.git(*abort, code=None)

    def drop_conflict(self) -> None:
        if self.project.git("diff", "--name-only", "--diff-filter=U").out.strip():
            self.project.git("reset", "-q", "--hard", code=None)

    # -- what must hold ----------------------------------------------------------------------------------------------

    def check(self, story: list[str]) -> None:
        for tree in self.trees:
            for path, text in [(key[1], value) for key, value in self.unsaved.items() if key[0] == tree.root]:
                assert (tree.root / path).exists() and tree.read(path) == text, f"{path} was saved nowhere, and is gone; {story[-8:]}"
        says = self.project.status()
        with_pins = lock_file.read(self.project.root)
        is_clean = not says["leftover"] and not any(pin["changes"] for pin in says["pins"])
        workspace = Workspace.find(self.project.root, self.project.environment)
        try:
            found = {pin.pin.path for pin in pinning.status(workspace).pins if pin.changes}
        finally:
            workspace.close()
        assert {pin["path"] for pin in says["pins"] if pin["changes"]} == found
        assert {pin["path"] for pin in says["pins"]} == set(with_pins)
        if is_clean:
            for path in with_pins:
                assert (self.project.root / path).exists(), f"{path} is pinned and not there, and status is silent; {story[-8:]}"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_files_are_what_head_pins_or_status_says_what_differs_and_nothing_is_lost(project, tmp_path, seed):
    walk = Walk(project, seed, tmp_path)
    steps = [
        *[walk.change_and_pin] * 4, walk.change_only, *[walk.commit] * 4, walk.branch, *[walk.switch] * 4, walk.detach, *[walk.merge] * 2,
        walk.rebase, walk.cherry_pick, walk.stash, walk.reset, walk.worktree, *[walk.bring_in_line] * 2,
    ]  # fmt: skip
    story: list[str] = []
    for _ in range(STEPS):
        story.append(walk.chance.choice(steps)())
        walk.check(story)
