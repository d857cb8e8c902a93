"""What a command that only looks must not load: each of these costs more than it may take to start."""

import subprocess
import sys

import pytest

HEAVY = ("concurrent.futures", "pyfastcdc", "secrets", "numpy", "rich", "pygit2", "mlvc.sync", "mlvc.objects.ingest")


@pytest.mark.parametrize("command", [["status"], ["ls"], ["log"], ["show", "m"]], ids=lambda command: command[0])
def test_a_command_that_looks_loads_nothing_heavy(repository, command):
    program = (
        f"import sys\nfrom mlvc.cli import main\nassert main.run({command!r}) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=repository.folder, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"
