"""Times what a run costs a training loop: `log` of two scalars, from one thread and many; and what an empty run costs a fresh process.

The latter in a Git repository, from `mlvc.init()` to `finish()`, imports that they cause included; median of some processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path

import mlvc

THREADS = 32
EMPTY = """
import time
begun = time.perf_counter()
import mlvc
imported = time.perf_counter()
mlvc.init(project="p").finish()
print(imported - begun, time.perf_counter() - imported, "numpy" in __import__("sys").modules)
"""


def empty_runs(folder: Path, times: int) -> tuple[float, float]:
    """Returns the median seconds of an import, and of an empty run after it, in fresh processes and a Git repository."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "m"], cwd=folder, check=True)
    found = []
    for _ in range(times + 1):
        done = subprocess.run([sys.executable, "-c", EMPTY], cwd=folder, capture_output=True, text=True, check=True)
        imported, ran, has_numpy = done.stdout.split()
        assert has_numpy == "False"
        found.append((float(imported), float(ran)))
    later = found[1:]  # the first one made the repository
    return tuple(sorted(values)[times // 2] for values in zip(*later, strict=True))  # type: ignore[return-value]


def from_threads(calls: int) -> float:
    """Returns the seconds a call of `log` takes when many threads call it; AssertionError when a value is lost."""
    with mlvc.init(id="threads") as run:
        threads = [threading.Thread(target=lambda n=n: [run.log({f"t{n}": i}) for i in range(calls)]) for n in range(THREADS)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begun
    kept = sum(key[0] == "t" for row in mlvc.Api().run("threads").scan_history() for key in row)
    assert kept == THREADS * calls, f"{THREADS * calls - kept} values are lost"
    return took / kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        mlvc.init().finish()
        began = time.perf_counter()
        run = mlvc.init()
        begun = time.perf_counter()
        for step in range(given.calls):
            run.log({"loss": 0.5, "step": step})
        logged = time.perf_counter()
        run.finish()
        finished = time.perf_counter()
        print(f"| begin | {(begun - began) * 1e3:.0f} ms |")
        print(f"| one `log` of two scalars, of {given.calls:,} | {(logged - begun) / given.calls * 1e6:.1f} us |")
        print(f"| finish, with {given.calls:,} rows | {(finished - logged) * 1e3:.0f} ms |")
        print(f"| one `log`, of {THREADS} threads, nothing lost | {from_threads(2_000) * 1e6:.1f} us |")
        (Path(folder) / "git").mkdir()
        imported, ran = empty_runs(Path(folder) / "git", 15)
        packages = len(list(metadata.distributions()))
        print(f"| `import mlvc`, a fresh process | {imported * 1e3:.0f} ms |")
        print(f"| `init` to `finish` of an empty run in it, {packages} packages installed | {ran * 1e3:.0f} ms |")


if __name__ == "__main__":
    main()
