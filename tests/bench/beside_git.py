"""What mlvc's hooks cost Git, and a checkout beside Git LFS: `python tests/bench/beside_git.py WORK [--rounds 9]`.

The first part pins one folder of 20,000 files and times each hook with nothing to do. The second has two branches with different
versions of 200 files of 1 MB, once in Git LFS and once pinned by mlvc, and times `git checkout` from one to the other, turn by turn.
Both `git-lfs` and the `mlvc` of this Python must be installed; what is made in WORK is kept for the next time.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

FILES, LARGE, LARGE_BYTES = 20_000, 200, 1_000_000
HOOKS = {
    "pre-commit": ([], b""),
    "prepare-commit-msg": (["MESSAGE", "message"], b""),
    "post-commit": ([], b""),
    "post-checkout": (["HEAD", "HEAD", "1"], b""),
    "post-merge": (["0"], b""),
    "post-rewrite": (["rebase"], b"HEAD HEAD\n"),
    "pre-push": (["origin", "nowhere"], b"refs/heads/main HEAD refs/heads/main HEAD\n"),
}


def run(*words: str, cwd: Path, data: bytes = b"") -> float:
    """Runs a program; returns the seconds it took."""
    begun = time.perf_counter()
    done = subprocess.run(words, cwd=cwd, input=data, capture_output=True, check=False)
    took = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{words} failed: {done.stderr.decode()}")
    return took


def git(cwd: Path, *words: str) -> float:
    return run("git", *words, cwd=cwd)


def begin(folder: Path) -> None:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Bench")
    git(folder, "config", "user.email", "bench@example.org")


def median_ms(times: list[float]) -> str:
    return f"{1000 * statistics.median(times):7.0f} ms  ({1000 * min(times):.0f} to {1000 * max(times):.0f})"


# -- hooks ----------------------------------------------------------------------------------------------------------------


def many_pinned(folder: Path) -> None:
    begin(folder)
    chance = random.Random(1)
    for number in range(FILES):
        path = folder / "data" / f"{number // 1000:02}" / f"{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(200))
    run("mlvc", "init", cwd=folder)
    run("mlvc", "add", "data", cwd=folder)
    run("mlvc", "hooks", "install", cwd=folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "pinned")
    (folder / ".git" / "message").write_text("message\n")


def time_hooks(folder: Path, rounds: int) -> None:
    if not folder.exists():
        many_pinned(folder)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, check=True).stdout.decode().strip()
    git(folder, "status")
    print(f"hooks with {FILES:,} pinned files and nothing to do, median of {rounds} (fastest to slowest):")
    for name, (words, data) in HOOKS.items():
        said = [head if word == "HEAD" else ".git/message" if word == "MESSAGE" else word for word in words]
        took = [run(f".git/hooks/{name}", *said, cwd=folder, data=data.replace(b"HEAD", head.encode())) for _ in range(rounds)]
        print(f"    {name:20} {median_ms(took)}")
    print(f"    {'python -c pass':20} {median_ms([run(sys.executable, '-c', 'pass', cwd=folder) for _ in range(rounds)])}")


# -- checkouts ------------------------------------------------------------------------------------------------------------


def two_branches(folder: Path, tool: str) -> None:
    begin(folder)
    if tool == "lfs":
        git(folder, "lfs", "install", "--local")
        git(folder, "lfs", "track", "*.bin")
    else:
        run("mlvc", "init", cwd=folder)
        run("mlvc", "hooks", "install", cwd=folder)
    for seed, branch in enumerate(("main", "other")):
        if branch != "main":
            git(folder, "switch", "-q", "-c", branch)
        chance = random.Random(seed)
        (folder / "data").mkdir(exist_ok=True)
        for number in range(LARGE):
            (folder / "data" / f"{number:03}.bin").write_bytes(chance.randbytes(LARGE_BYTES))
        if tool == "mlvc":
            run("mlvc", "add", "data", cwd=folder)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", branch)


def time_checkouts(work: Path, rounds: int) -> None:
    tools = ("lfs", "mlvc")
    for tool in tools:
        if not (work / tool).exists():
            two_branches(work / tool, tool)
    for tool in tools:  # the first of each is not counted
        git(work / tool, "checkout", "-q", "main")
    took: dict[str, list[float]] = {tool: [] for tool in tools}
    for turn in range(2 * rounds):
        branch = ("other", "main")[turn % 2]
        for tool in tools:
            os.sync()
            took[tool].append(git(work / tool, "checkout", "-q", branch))
            expected = random.Random(("main", "other").index(branch)).randbytes(LARGE_BYTES)
            assert (work / tool / "data" / "000.bin").read_bytes() == expected, f"{tool} did not bring the files in line"
    print(f"git checkout between branches with other versions of {LARGE} files of {LARGE_BYTES / 1e6:.0f} MB, median of {2 * rounds}:")
    for tool in tools:
        print(f"    {tool:20} {median_ms(took[tool])}")
    print(f"    mlvc / lfs {statistics.median(took['mlvc']) / statistics.median(took['lfs']):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given.work.mkdir(parents=True, exist_ok=True)
    time_hooks(given.work / "many", given.rounds)
    time_checkouts(given.work, given.rounds)


if __name__ == "__main__":
    main()
