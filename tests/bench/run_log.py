"""Times what a run costs a training loop: begin, `log` of two scalars, finish; in a fresh repository."""

from __future__ import annotations

import argparse
import os
import tempfile
import time

import mlvc


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
        began = time.perf_counter()
        mlvc.init().finish()
        print(f"| begin and finish an empty run | {(time.perf_counter() - began) * 1e3:.0f} ms |")


if __name__ == "__main__":
    main()
