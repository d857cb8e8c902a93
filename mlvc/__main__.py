"""`mlvc`, also as `python -m mlvc`: Git's hooks go their own, short way; everything else is a verb."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs what the command line asks for, and exits."""
    if sys.argv[1:2] == ["hook"]:
        from mlvc.cli import hook

        sys.exit(hook.run(sys.argv[2:]))
    from mlvc.cli.main import main as run_verb

    run_verb()


if __name__ == "__main__":
    main()
