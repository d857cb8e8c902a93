"""A disk that is full at any step of the main job: one sentence, and nothing lost. On a real, small file system."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or sys.platform != "linux", reason="only root on Linux can mount a small file system"
)

SIZE_MIB = 64
RESERVE_KIB = (0, 4, 16, 64, 256, 1024, 6000)
"""How much is left free, in KiB: each stops a command at another of its steps."""

IDENTITY = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine mounts nothing: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


class User:
    def __init__(self, disk: Path) -> None:
        self.folder = disk / "work"
        self.ballast = disk / "ballast"
        self.folder.mkdir()
        subprocess.run(["git", "init", "-q", "."], cwd=self.folder, check=True)
        (self.folder / "old.bin").write_bytes(os.urandom(3 << 20))
        self("init")
        self("add", "old.bin", "--alias", "kept")
        self("remote", "add", "origin", str(disk / "remote"))

    def __call__(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "mlvc", *words], cwd=self.folder, capture_output=True, text=True, env={**os.environ, "MLVC_USER": "Ada <a@b.c>"}
        )
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, (words, done.stdout, done.stderr)
        return done

    def fill(self, reserve_kib: int) -> None:
        with self.ballast.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass
        size = self.ballast.stat().st_size
        os.truncate(self.ballast, max(0, size - (reserve_kib << 10)))

    def free(self) -> None:
        self.ballast.unlink()


COMMANDS = {
    "add": ["add", "new.bin"],
    "alias": ["alias", "set", "old", "other"],
    "run": ["run", "--output", "made=made.bin", "--", "sh", "-c", "head -c 100000 /dev/urandom > made.bin; echo said"],
    "push": ["push"],
    "checkout": ["checkout", "lost.bin"],
    "get": ["get", "old", "copied"],
    "undo": ["undo"],
}


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_full_disk_is_said_in_one_sentence_and_nothing_is_lost(small_disk, verb):
    user = User(small_disk)
    (user.folder / "lost.bin").write_bytes(os.urandom(2 << 20))
    user("add", "lost.bin")
    (user.folder / "lost.bin").unlink()
    (user.folder / "new.bin").write_bytes(os.urandom(2 << 20))
    failed = 0
    for reserve in RESERVE_KIB:
        user.fill(reserve)
        done = user(*COMMANDS[verb], code=None)
        if done.returncode:
            failed += 1
            errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
            assert len(errors) == 1 and ("space" in errors[0] or "full" in errors[0]), done.stderr
            looked = user("log", "old", code=None)  # looking works on a full disk
            assert looked.returncode == 0 and "kept" in looked.stdout, looked.stderr
        user.free()
        user("fsck")
        if not done.returncode:
            break
    assert failed, "it never failed: the disk was not full"
    if verb != "undo":
        user(*COMMANDS[verb])
    user("fsck")
    user("get", "old:kept", "again")
    assert (user.folder / "again/old.bin").read_bytes() == (user.folder / "old.bin").read_bytes()
