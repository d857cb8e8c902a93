"""Times mlvc and its peers side by side: whole processes, on the same data, each in a fresh folder; prints ratios."""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MLVC = str(Path(sys.executable).parent / "mlvc")


@dataclass
class Peer:
    """How a tool is told to do the same things. `{n}` is the version's number; an empty command is not timed."""

    name: str
    program: str
    begin: str
    add: str
    status: str
    checkout: str
    store: list[str]
    clears: bool = True


# No gc of Git's own in the background: it would take its time out of the next measurement.
GIT = "git init -q . && git config user.name a && git config user.email a@b && git config gc.auto 0 && git config maintenance.auto false"
PEERS = [
    Peer("mlvc", MLVC, f"{GIT} && {MLVC} init", f"{MLVC} add d --name d --type dataset", f"{MLVC} status", f"{MLVC} checkout", [".git/mlvc"]),
    Peer("borg", "borg", "borg init -e none repo", "borg create -C zstd,1 repo::v{n} d", "borg create -n repo::x d", "borg extract repo::v{n}", ["repo"]),
    Peer("restic", "restic", "restic -q -r repo init", "restic -q -r repo backup d", "", "restic -q -r repo restore latest --target .", ["repo"]),
    Peer("dvc", "dvc", f"{GIT} && dvc init -q", "dvc add -q d && git add -A d.dvc .gitignore .dvc && git commit -qm v{n}", "dvc status -q", "dvc checkout -q", [".dvc/cache"]),
    Peer("git-lfs", "git-lfs", f"{GIT} && git lfs install --local && git lfs track 'd/**' && git add .gitattributes", "git add -A d && git commit -qm v{n}", "git status", "git checkout -q -- d", [".git"]),
]
ENVIRONMENT = {
    **os.environ,
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
    "RESTIC_PASSWORD": "x",
    "DVC_NO_ANALYTICS": "1",
}


@dataclass
class Figures:
    """Seconds of whole processes, bytes kept, and the largest peak memory in MiB."""

    adds: list[float] = field(default_factory=list)
    status: float = float("nan")
    checkout: float = float("nan")
    kept: int = 0
    peak_mib: float = 0.0


def timed(command: str, folder: Path, figures: Figures) -> float:
    # This process must stay small: a child's peak memory counts from what its parent held when it was forked.
    os.sync()
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - began
    error = child.stderr.read().decode() if child.stderr else ""
    if status:
        raise SystemExit(f"{command} failed: {error[-500:]}")
    figures.peak_mib = max(figures.peak_mib, usage.ru_maxrss / 1024)
    return took


def lay_out(source: Path, target: Path) -> None:
    """Makes `target` hold what `source` holds, as a training job would: only what differs is written."""
    for path in list(target.rglob("*")) if target.exists() else []:
        if path.is_file() and not (source / path.relative_to(target)).exists():
            path.unlink()
    for path in source.rglob("*"):
        goal = target / path.relative_to(source)
        if path.is_file() and not (goal.exists() and filecmp.cmp(goal, path, shallow=False)):
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.unlink(missing_ok=True)
            shutil.copyfile(path, goal)


def measure(peer: Peer, versions: list[Path], work: Path) -> Figures:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    figures = Figures()
    timed(peer.begin, work, figures)
    figures.peak_mib = 0.0
    for number, version in enumerate(versions):
        lay_out(version, work / "d")
        figures.adds.append(timed(peer.add.format(n=number), work, figures))
    if peer.status:
        figures.status = timed(peer.status, work, figures)
    figures.kept = sum((Path(folder) / name).lstat().st_size for s in peer.store for folder, _, names in os.walk(work / s) for name in names)
    shutil.rmtree(work / "d")
    figures.checkout = timed(peer.checkout.format(n=len(versions) - 1), work, figures)
    for path in versions[-1].rglob("*"):
        if path.is_file() and not filecmp.cmp(work / "d" / path.relative_to(versions[-1]), path, shallow=False):
            raise SystemExit(f"{peer.name} gave back other bytes for {path}")
    shutil.rmtree(work)
    return figures


def row(name: str, found: Figures, raw: int, mine: Figures) -> str:
    def cell(value: float, own: float, unit: str = "s") -> str:
        if value != value:
            return "-"
        ratio = "" if found is mine or not value else f" ({own / value:.2f})"
        return f"{value:.2f} {unit}{ratio}"

    later = statistics.median(found.adds[1:])
    kept = f"{found.kept / 1e6:,.0f} MB = {found.kept / raw:.3f}" + ("" if found is mine else f" ({mine.kept / found.kept:.2f})")
    return (
        f"| {name} | {cell(found.adds[0], mine.adds[0])} | {cell(later, statistics.median(mine.adds[1:]))} | "
        f"{cell(found.status, mine.status)} | {cell(found.checkout, mine.checkout)} | {kept} | {found.peak_mib:.0f} MiB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--peers", default="borg,restic,dvc,git-lfs")
    parser.add_argument("--workloads", default="many,series,full,table")
    given = parser.parse_args()
    wanted = ["mlvc", *given.peers.split(",")]
    peers = [p for p in PEERS if p.name in wanted and shutil.which(p.program)]
    for workload in given.workloads.split(","):
        versions = sorted((given.data / workload).iterdir())
        raw = sum(p.stat().st_size for v in versions for p in v.rglob("*") if p.is_file())
        found = {peer.name: measure(peer, versions, given.work / peer.name) for peer in peers}
        print(f"\n**{workload}**: {len(versions)} versions, {raw / 1e6:,.0f} MB in all; in brackets mlvc's share of the peer's\n")
        print("| | first add | later adds, median | status | checkout of the last | kept | peak memory |")
        print("|---|---|---|---|---|---|---|")
        for name, figures in found.items():
            print(row(name, figures, raw, found["mlvc"]), flush=True)


if __name__ == "__main__":
    main()
