"""What a Git host holds of a store, in a bare repository here: one ref with a tree of small things, and a ref for each data pack.

The `git` program talks to the host, so that the user's credential helpers, keys, proxies and `insteadOf` count. Nothing but objects
and refs is used of it: any host that takes a push to `refs/mlvc/` will do.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from mlvc import atomic_file
from mlvc.errors import RemoteError
from mlvc.git_program import OF_ONE_CHECKOUT, GitError, ObjectReader, git

REF = "refs/mlvc/store"
DATA_REFS = "refs/mlvc/data/"

_QUIET = ("-c", f"core.hooksPath={os.devnull}", "-c", "gc.autoDetach=false")  # the user's own hooks are about the user's commits
_AS_IT_IS = ("-c", "core.compression=0", "-c", "core.bigFileThreshold=1m")  # packs are compressed
_PROTOCOLS = "file:git:http:https:ssh"
_AUTHOR = "mlvc <mlvc@localhost>"
_MOST_MOVES = 20
_SMALL = 1 << 20


class Blob(Struct, frozen=True):
    """An object of the mirror, its size in bytes, and its content while that is only in memory."""

    id: str
    size: int
    data: bytes | None = None


class DataRef(Struct, frozen=True):
    """A ref whose commit holds one data pack.

    Attributes:
        ref: its full name, which tells the rest, so that listing needs no object.
        size: of the pack, in bytes.
        written_s: when, by the clock of who wrote it, in seconds.
    """

    ref: str
    size: int
    written_s: float

    @staticmethod
    def named(name: str, size: int, written_s: float) -> DataRef:
        """Returns the ref of a pack."""
        return DataRef(f"{DATA_REFS}{name}/{size}-{int(written_s)}", size, int(written_s))

    @staticmethod
    def parse(ref: str) -> tuple[str, DataRef] | None:
        """Returns the pack's name and its ref, or None when mlvc did not name it."""
        name, _, said = ref.removeprefix(DATA_REFS).partition("/")
        size, _, written = said.partition("-")
        if not (name and size.isdecimal() and written.isdecimal()):
            return None
        return name, DataRef(ref, int(size), int(written))


class Seen(Struct, frozen=True):
    """What a host held at one moment.

    Attributes:
        tip: the commit of `REF`, or None.
        tree: key -> content.
        data: name of a data pack -> its ref.
    """

    tip: str | None
    tree: Mapping[str, Blob]
    data: Mapping[str, DataRef]


class GitMirror:
    """See the module. Made at the first use; several processes may use one folder at once."""

    def __init__(self, url: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.url = url
        self.folder = folder
        self._variables = {name: value for name, value in environment.items() if name not in OF_ONE_CHECKOUT}
        self._variables["GIT_ALLOW_PROTOCOL"] = _PROTOCOLS
        self._reader = ObjectReader(folder)
        self._format = "sha1"

    def _git(self, *arguments: str, data: bytes | None = None, cwd: Path | None = None, options: Iterable[str] = ()) -> bytes:
        return (
            git(
                [*_QUIET, *options, *arguments],
                cwd=cwd or self.folder,
                data=data,
                elsewhere=True,
                variables=self._variables,
                timeout_s=None,
            )
            or b""
        )

    def _asked(self, *arguments: str, cwd: Path | None = None, options: Iterable[str] = ()) -> bytes:
        """Runs what talks to the host; RemoteError when it fails."""
        try:
            return self._git(*arguments, cwd=cwd, options=options)
        except GitError as error:
            raise RemoteError(f"the Git host {self.url} failed: {error.message.partition(': ')[2]}") from error

    # -- looking -----------------------------------------------------------------------------------------------------

    def look(self, known: Seen | None = None) -> Seen:
        """Returns what the host holds now, and brings all of it but data packs."""
        for _ in range(_MOST_MOVES):
            tip, data = self._refs()
            if known is not None and tip == known.tip:
                return Seen(tip, known.tree, data)
            if tip is None or self._has(tip) or self._fetched(tip):
                return Seen(tip, {} if tip is None else self._tree(tip), data)
        raise RemoteError(f"{self.url} changes faster than it can be read", hint="run the command again")

    def _refs(self) -> tuple[str | None, dict[str, DataRef]]:
        tip, data = None, {}
        folder = self.folder if self.folder.is_dir() else self.folder.parent
        atomic_file.make_folder(folder)
        for line in self._asked("ls-remote", "--", self.url, "HEAD", REF, f"{DATA_REFS}*", cwd=folder).decode().splitlines():
            identifier, _, ref = line.partition("\t")
            self._format = "sha256" if len(identifier) == 64 else "sha1"
            if ref == REF:
                tip = identifier
            elif ref.startswith(DATA_REFS) and (found := DataRef.parse(ref)) is not None:
                data[found[0]] = found[1]
        self._make()
        return tip, data

    def _make(self) -> None:
        if not (self.folder / "HEAD").is_file():
            atomic_file.make_folder(self.folder)
            self._git("init", "--quiet", "--bare", f"--object-format={self._format}", "--template=", ".")

    def _has(self, commit: str) -> bool:
        asked = ["cat-file", "-e", f"{commit}^{{commit}}"]
        return git(asked, cwd=self.folder, check=False, elsewhere=True, variables=self._variables) is not None

    def _fetched(self, tip: str) -> bool:
        self._asked("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", self.url, REF)
        if not self._has(tip):
            return False  # it moved on between the two questions
        self.keep_tip(tip)
        return True

    def keep_tip(self, tip: str) -> None:
        """Keeps a commit from being cleared away, and lets the next fetch tell the host of it. Of two at once, either may win."""
        git(["update-ref", REF, tip], cwd=self.folder, check=False, elsewhere=True, variables=self._variables)

    def _tree(self, tip: str) -> dict[str, Blob]:
        found = {}
        for line in self._git("ls-tree", "-r", "-z", "--long", "--full-tree", tip).decode().split("\0"):
            if line:
                said, _, key = line.partition("\t")
                _, _, identifier, size = said.split()
                found[key] = Blob(identifier, int(size))
        return found

    def read(self, blob: Blob) -> bytes:
        """Returns the content of what a look brought, or of what was kept."""
        return blob.data if blob.data is not None else self._reader.read(blob.id)

    def written_s(self, seen: Seen, key: str) -> float:
        """Returns when a key was written, by the clock of who did, in seconds; later when the history before was dropped."""
        assert seen.tip is not None, "a key is in a tree"
        return float(self._git("log", "-1", "--format=%ct", seen.tip, "--", key) or 0)

    # -- changing ----------------------------------------------------------------------------------------------------

    def keep(self, data: bytes) -> Blob:
        """Keeps content for a commit to come: small ones in memory, so that thousands take no time."""
        if len(data) > _SMALL:
            return Blob(self._git("hash-object", "-w", "--stdin", "--no-filters", data=data).decode().strip(), len(data))
        return Blob(hashlib.new(self._format, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest(), len(data), data)

    def commit(self, seen: Seen, changes: Mapping[str, Blob | None]) -> str:
        """Makes a commit after what was seen, with some keys written, or removed where the value is None.

        One that removes has no parent: a host can free what was removed only when no history holds it.
        """
        head = f"refs/mlvc/next/{os.urandom(8).hex()}"
        lines: list[str | bytes] = [f"commit {head}", "mark :1", f"committer {_AUTHOR} {int(time.time())} +0000", "data 11", "mlvc store\n"]
        if seen.tip is not None and None in changes.values():
            tree = self._git("rev-parse", f"{seen.tip}^{{tree}}").decode().strip()
            lines.append(f'M 040000 {tree} ""')
        elif seen.tip is not None:
            lines.append(f"from {seen.tip}")
        for key, blob in changes.items():
            if blob is None:
                lines.append(f"D {key}")
            elif blob.data is None:
                lines.append(f"M 100644 {blob.id} {key}")
            else:
                lines += [f"M 100644 inline {key}", f"data {blob.size}", blob.data]
        lines += ["", "get-mark :1", "done", ""]
        said = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        made = self._git("fast-import", "--quiet", "--done", data=said).decode().strip()
        self._git("update-ref", "-d", head)
        return made

    def push(self, commit: str, seen: Seen) -> bool:
        """Makes a commit the host's, if the host still holds what was seen. False when it holds something else by now.

        Raises:
            RemoteError: it refused, and nothing changed there.
        """
        lease = f"--force-with-lease={REF}:{seen.tip or ''}"
        try:
            self._asked("push", "--quiet", "--no-verify", lease, "--", self.url, f"{commit}:{REF}")
        except RemoteError as error:
            there, _ = self._refs()  # a reply can be lost, and a refusal can mean many things: what is there counts
            if there != commit and there == seen.tip and not _is_race(error):
                raise
            return there == commit
        self.keep_tip(commit)
        return True

    # -- data packs --------------------------------------------------------------------------------------------------

    def push_data(self, name: str, pieces: Iterable[bytes]) -> DataRef:
        """Puts a data pack under a ref of its own at the host. Nothing of it stays here."""
        with self._scratch() as scratch:
            pack = Path(scratch) / "pack"
            with pack.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            written = DataRef.named(name, pack.stat().st_size, time.time())
            blob = self._git("hash-object", "-w", "--no-filters", str(pack), cwd=Path(scratch), options=_AS_IT_IS).decode().strip()
            tree = self._git("mktree", cwd=Path(scratch), data=f"100644 blob {blob}\tpack\n".encode()).decode().strip()
            who = ("-c", "user.name=mlvc", "-c", "user.email=mlvc@localhost")
            commit = self._git("commit-tree", "-m", "mlvc data", tree, cwd=Path(scratch), options=who).decode().strip()
            self._asked("push", "--quiet", "--no-verify", "--", self.url, f"{commit}:{written.ref}", cwd=Path(scratch), options=_AS_IT_IS)
        return written

    def fetch_data(self, found: DataRef, target: Path) -> None:
        """Writes a data pack of the host into a file."""
        with self._scratch() as scratch:
            self._asked("fetch", "--quiet", "--no-tags", "--depth=1", "--", self.url, f"{found.ref}:refs/pack", cwd=Path(scratch))
            atomic_file.replace(target, self._git("cat-file", "blob", "refs/pack:pack", cwd=Path(scratch)))

    def delete_data(self, found: DataRef) -> None:
        """Removes a data pack from the host."""
        self._asked("push", "--quiet", "--no-verify", "--", self.url, f":{found.ref}")

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        atomic_file.make_folder(self.folder.parent)
        scratch = tempfile.TemporaryDirectory(prefix="git-pack-", dir=self.folder.parent)
        self._git("init", "--quiet", "--bare", f"--object-format={self._format}", "--template=", ".", cwd=Path(scratch.name))
        return scratch

    def check_writable(self) -> None:
        """Raises RemoteError when this user may not push to the host; nothing is changed there."""
        seen = self.look()
        commit = self.commit(seen, {})
        self._asked("push", "--quiet", "--no-verify", "--dry-run", "--", self.url, f"{commit}:refs/mlvc/try/{commit}")

    def close(self) -> None:
        """Ends the program that reads."""
        self._reader.close()


def _is_race(error: RemoteError) -> bool:
    return any(word in error.message for word in ("cannot lock ref", "failed to update ref", "incorrect old value", "stale info"))
