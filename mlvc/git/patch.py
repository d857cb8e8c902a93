"""The uncommitted changes of a checkout as one patch: what `git apply` makes the same code of at the same commit.

Files that Git does not track yet belong to it; what is large, or may be secret, does not, and is named instead.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from mlvc import git_program
from mlvc.git.checkout import Checkout, CodeState
from mlvc.git_program import GitError

MAX_FILE_BYTES = 1 << 20
"""Larger files are data, not code."""

MAX_PATCH_BYTES = 16 << 20
MAX_UNTRACKED_FILES = 1_000
_MAX_NAMES = 100_000

_SECRET_NAMES = tuple(
    "*.env *.jks *.kdbx *.key *.keystore *.p12 *.pem *.pfx *.secret *.token .env .env.* .envrc .git-credentials .htpasswd .netrc .npmrc .pgpass .pypirc "
    "_netrc credentials credentials.* id_dsa id_ecdsa id_ed25519 id_rsa kaggle.json secrets.* token.json tokens.json service-account*.json service_account*.json".split()
)
"""Names of files that usually hold credentials, in lower case."""

_EXAMPLES = (".example", ".sample", ".template", ".dist")
_SECRET_FOLDERS = frozenset((".aws", ".azure", ".gnupg", ".kube", ".ssh", "secrets"))
_NO_CODE = frozenset("artifacts wandb mlruns lightning_logs __pycache__ .ipynb_checkpoints node_modules .venv venv".split())
"""Folders that programs fill; untracked files in them are no changes of code."""

_OF_VENV = "pyvenv.cfg"
"""What a virtual environment of any name holds at its top (PEP 405)."""

_SECRET_CONTENT = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{22,}"
    rb"|\bhf_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{32,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}|\bglpat-[A-Za-z0-9_-]{20,}"
)
"""Private keys, and tokens as AWS, GitHub, Hugging Face, OpenAI, Slack, Google and GitLab hand them out (their documented prefixes)."""

SECRET, LARGE, MANY, NESTED = "may be secret", "too large", "too many files", "a repository of its own"

_PLAIN = ("-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "core.splitIndex=false", "-c", "core.safecrlf=false", "--literal-pathspecs")
"""Settings of the user that would make a patch that `git apply` does not take, set back."""


class LeftOut(Struct, frozen=True):
    """A changed file that the patch does not hold, and why; `path` from the top of the checkout, or "" for many."""

    path: str
    why: str


class Patch(Struct, frozen=True):
    """Uncommitted changes.

    Attributes:
        data: for `git apply`; b"" when there are none.
        left_out: what is not in it.
    """

    data: bytes = b""
    left_out: tuple[LeftOut, ...] = ()


def uncommitted(checkout: Checkout, state: CodeState, *, always: frozenset[str] = frozenset()) -> Patch:
    """Returns the changes against the commit; reads nothing where Git has just said that there are none.

    Args:
        checkout: whose.
        state: as Git has just said.
        always: paths of text files that belong to the patch whatever their size.
    """
    if not (state.is_dirty or state.has_untracked):
        return Patch()
    left_out: list[LeftOut] = []
    changed = _names(checkout, ["diff", "--name-only", "-z", "--no-renames", "--ignore-submodules=dirty", base(checkout, state)])
    new = _untracked(checkout, left_out) if state.has_untracked else []
    kept = [name for name in changed if _is_fit(checkout, name, left_out, always)]
    added = [name for name in new if _is_fit(checkout, name, left_out, always)]
    if len(added) > MAX_UNTRACKED_FILES:
        left_out.append(LeftOut("", f"{len(added) - MAX_UNTRACKED_FILES:,} untracked files: {MANY}"))
        del added[MAX_UNTRACKED_FILES:]
    if not kept and not added:
        return Patch(b"", tuple(left_out))
    return _without_unfit(checkout, base(checkout, state), _diff(checkout, base(checkout, state), kept, added), left_out, always)


def base(checkout: Checkout, state: CodeState) -> str:
    """Returns what changes are counted from: the commit, or an empty tree before the first one."""
    if state.commit is not None:
        return state.commit
    return (git_program.git(["hash-object", "-t", "tree", "--stdin"], cwd=checkout.root, data=b"") or b"").decode().strip()


def _names(checkout: Checkout, arguments: list[str]) -> list[str]:
    out = git_program.git([*_PLAIN, *arguments], cwd=checkout.root) or b""
    return [os.fsdecode(name) for name in out.split(b"\0") if name]


def _untracked(checkout: Checkout, left_out: list[LeftOut]) -> list[str]:
    """Returns the files that Git neither tracks nor ignores, those near the top first."""
    found = _names(checkout, ["ls-files", "-z", "--others", "--exclude-standard"])
    left_out += [LeftOut(name.rstrip("/"), NESTED) for name in found if name.endswith("/")]
    installed = tuple(name.removesuffix(_OF_VENV) for name in found if name.endswith(f"/{_OF_VENV}"))
    code = (name for name in found if not name.endswith("/") and not name.startswith(installed) and _NO_CODE.isdisjoint(name.split("/")[:-1]))
    files = sorted((name.count("/"), name) for name in code)
    if len(files) > _MAX_NAMES:
        left_out.append(LeftOut("", f"{len(files) - _MAX_NAMES:,} untracked files: {MANY}"))
    return [name for _, name in files[:_MAX_NAMES]]


def _is_fit(checkout: Checkout, name: str, left_out: list[LeftOut], always: frozenset[str]) -> bool:
    if name in always:
        return True
    if has_secret_name(name):
        left_out.append(LeftOut(name, SECRET))
        return False
    try:
        size = (checkout.root / name).lstat().st_size
    except OSError:
        return True  # removed: the patch says so
    if size > MAX_FILE_BYTES:
        left_out.append(LeftOut(name, LARGE))
        return False
    return True


def has_secret_name(path: str) -> bool:
    """Tells whether a file usually holds credentials, by its name and its folders'."""
    *folders, name = path.lower().split("/")
    if name.endswith(_EXAMPLES):
        return False
    return not _SECRET_FOLDERS.isdisjoint(folders) or any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES)


def _diff(checkout: Checkout, since: str, changed: list[str], added: list[str]) -> bytes:
    """Returns one patch of changed and of new files. New ones are announced in a copy of the index; the user's own stays as it is."""
    diff = [*_PLAIN, "diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-relative"]
    diff += ["--submodule=short", "--ignore-submodules=dirty", "--unified=3", since]
    with tempfile.TemporaryDirectory(prefix="mlvc-index-") as folder:
        index = Path(folder, "index")
        original = Path(git_program.environment().get("GIT_INDEX_FILE") or checkout.git_dir / "index")
        if original.exists():
            shutil.copy2(original, index)  # with its time, by which Git tells files that were written in the same moment
        variables = {"GIT_INDEX_FILE": str(index)}
        if added:
            names = "\0".join(added).encode(errors="surrogateescape")
            adding = [*_PLAIN, "add", "--intent-to-add", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul"]
            git_program.git(adding, cwd=checkout.root, data=names, variables=variables)
        found = b""
        for some in _in_parts([*changed, *added]):
            found += git_program.git([*diff, "--", *some], cwd=checkout.root, variables=variables) or b""
        return found


_LINE_BYTES = 100_000
"""The most that paths take on one command line; systems take 128 KiB and more."""


def _in_parts(names: Iterable[str]) -> Iterable[list[str]]:
    part: list[str] = []
    size = 0
    for name in names:
        part.append(name)
        size += len(os.fsencode(name)) + 1
        if size > _LINE_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


_FILE = re.compile(rb"^diff --git ", re.MULTILINE)


def _without_unfit(checkout: Checkout, since: str, data: bytes, left_out: list[LeftOut], always: frozenset[str]) -> Patch:
    """Returns a patch without the files whose content looks secret, and without the largest ones where it is too large."""
    starts = [*(match.start() for match in _FILE.finditer(data)), len(data)]
    parts = [data[start:end] for start, end in pairwise(starts)]
    fit = []
    for part in parts:
        if _SECRET_CONTENT.search(part) or (_IS_BINARY in part and _has_secret_content(checkout, since, _path_of(part))):
            left_out.append(LeftOut(_path_of(part), SECRET))
        elif len(part) > 2 * MAX_FILE_BYTES and _path_of(part) not in always:
            left_out.append(LeftOut(_path_of(part), LARGE))
        else:
            fit.append(part)
    while sum(map(len, fit)) > MAX_PATCH_BYTES:
        largest = max(fit, key=len)
        fit.remove(largest)
        left_out.append(LeftOut(_path_of(largest), LARGE))
    return Patch(b"".join(fit), tuple(left_out))


_IS_BINARY = b"\nGIT binary patch\n"


def _has_secret_content(checkout: Checkout, since: str, path: str) -> bool:
    """Tells whether a file, or what it was, looks secret: a patch of it shows neither as it is."""
    try:
        now = (checkout.root / path).read_bytes()
    except OSError:
        now = b""
    before = git_program.git(["cat-file", "blob", f"{since}:{path}"], cwd=checkout.root, check=False) or b""
    return _SECRET_CONTENT.search(now) is not None or _SECRET_CONTENT.search(before) is not None


def _path_of(part: bytes) -> str:
    """Returns the path in the first line of a file's part, `diff --git a/PATH b/PATH`; Git quotes odd ones as C does."""
    line = part.split(b"\n", 1)[0].removeprefix(b"diff --git ")
    half = line[: (len(line) - 1) // 2]
    if half.startswith(b'"'):
        half = _ESCAPE.sub(_unescaped, half[1:-1])
    return os.fsdecode(half.removeprefix(b"a/"))


_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    said = match[1]
    return bytes([int(said, 8)]) if len(said) == 3 else _ESCAPES.get(said, said)


def apply(checkout: Checkout, data: bytes) -> None:
    """Makes the changes of a patch in a checkout's files. GitError when they do not fit."""
    starts = [*(match.start() for match in _FILE.finditer(data)), len(data)]
    parts = [data[start:end] for start, end in pairwise(starts)]
    attributes = [part for part in parts if _path_of(part).endswith(".gitattributes")]  # they say how the others are written
    try:
        for some in (attributes, [part for part in parts if part not in attributes]):
            if some:
                git_program.git(["apply", "--binary", "--whitespace=nowarn", "-"], cwd=checkout.root, data=b"".join(some), elsewhere=True)
    except GitError as error:
        raise GitError(f"the patch does not fit the files in {checkout.root}: {error.message}") from error
