"""What the tests of recorded code share: a run recorded, its patch, and the files that a fresh clone makes of both."""

import os
import stat

COMMITTED = {
    "readme.md": b"hello\n",
    "train.py": b"".join(b"line %d\n" % n for n in range(40)),
    "old.py": b"goes away\n",
    "moved.py": b"".join(b"is moved %d\n" % n for n in range(20)),
    "run.sh": b"#!/bin/sh\n",
    "image.bin": bytes(range(256)),
    "no-end.txt": b"one\ntwo",
    "empty.txt": b"",
    "package/deep/module.py": b"a = 1\n",
    "folder/inner.txt": b"inner\n",
    "shape": b"a file\n",
}


def record(project, name="r", **variables):
    """Records a run; returns what is told of it."""
    project.mlvc("run", "--name", name, "--", "true", **variables)
    return project.mlvc("--json", "show", f"run/{name}", **variables).data


def state(project, name="r", **variables):
    return record(project, name, **variables)["facts"]["git"]


def patch_of(project, name="r"):
    return os.fsencode(project.mlvc("show", f"run/{name}", "--patch").out)


def files(root):
    """Path -> kind and content of each file that is not Git's."""
    found = {}
    for parent, folders, names in os.walk(os.fsencode(root)):
        folders[:] = [name for name in folders if name != b".git"]
        for name in [*names, *(f for f in folders if os.path.islink(os.path.join(parent, f)))]:
            path = os.path.join(parent, name)
            key = os.path.relpath(path, os.fsencode(root))
            if os.path.islink(path):
                found[key] = ("link", os.readlink(path))
            else:
                is_program = bool(os.lstat(path).st_mode & stat.S_IXUSR)
                with open(path, "rb") as file:
                    found[key] = ("program" if is_program else "file", file.read())
    return found


def made_again(project, tmp_path, name="r", **variables):
    """The files of a fresh clone at the run's commit, with its patch applied."""
    facts = project.mlvc("--json", "show", f"run/{name}").data["facts"]["git"]
    patch = patch_of(project, name)
    fresh = project.at(tmp_path / f"clone-{name}")
    project.git("clone", "-q", "--no-checkout", str(project.root), str(fresh.root), **variables)
    fresh.git("checkout", "-q", "--detach", facts["commit"], **variables)
    if patch:
        (tmp_path / "patch").write_bytes(patch)
        fresh.git("apply", "--binary", str(tmp_path / "patch"), **variables)
    return files(fresh.root)


def settings(**values):
    """The variables that give Git settings of a person, beside those of the fixture."""
    found = {}
    for place, (name, value) in enumerate(values.items(), start=2):
        found[f"GIT_CONFIG_KEY_{place}"], found[f"GIT_CONFIG_VALUE_{place}"] = name.replace("_", "."), value
    return {**found, "GIT_CONFIG_COUNT": str(2 + len(values))}


def change_everything(project):
    """Changes the files of `COMMITTED` in every way there is."""
    root = project.root
    project.write("train.py", COMMITTED["train.py"].replace(b"line 3\n", b"line three\n"))
    project.git("add", "train.py")
    project.write("train.py", COMMITTED["train.py"].replace(b"line 3\n", b"line three\n").replace(b"line 30\n", b""))
    (root / "old.py").unlink()
    project.git("mv", "moved.py", "package/new place.py")
    project.write("package/new place.py", COMMITTED["moved.py"] + b"and changed\n")
    (root / "run.sh").chmod(0o755)
    project.write("image.bin", bytes(range(255, -1, -1)) * 3)
    project.write("no-end.txt", b"one\ntwo\nthree")
    project.write("empty.txt", b"no longer\n")
    project.write("readme.md", b"")
    project.write("package/deep/module.py", b"a = 2")
    (root / "folder/inner.txt").unlink()
    (root / "folder").rmdir()
    project.write("folder", b"a file now\n")
    (root / "shape").unlink()
    project.write("shape/is/a/folder.py", b"b = 1\n")
    (root / "link").unlink()
    (root / "link").symlink_to("package/new place.py")
    project.write("new.py", b"print()\n")
    project.git("add", "--intent-to-add", "new.py")
    project.write("staged.py", b"staged = 1\n")
    project.git("add", "staged.py")
    project.write("untracked.py", b"c = 1\n")
    project.write("untracked/in/folders.py", b"d = 1")
    project.write("untracked/empty", b"")
    project.write("untracked/weights.bin", b"\0\1\2" * 1000)
    project.write("untracked/program", b"#!/bin/sh\n").chmod(0o755)
    (root / "untracked/link").symlink_to("../nowhere at all")
    (root / "untracked/folder-link").symlink_to("../package")
