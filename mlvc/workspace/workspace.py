"""Opens a workspace: repository, root, checkout, settings, and who is working in it."""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlvc import atomic_file
from mlvc.errors import DamageError, NotFoundError, UsageError
from mlvc.fold.questions import View
from mlvc.format import names, values
from mlvc.format.ids import RecordId
from mlvc.format.operations import Operation, Project
from mlvc.format.record import Kind
from mlvc.git import checkout as git
from mlvc.progress import SILENT, Progress
from mlvc.repository.commit import Commit
from mlvc.repository.repository import Repository
from mlvc.runs import surroundings
from mlvc.runs.following import Follower
from mlvc.working_tree import placed_pins
from mlvc.working_tree.raw_copies import RawCopies
from mlvc.working_tree.stat_cache import StatCache
from mlvc.workspace import configuration, locating
from mlvc.workspace.locating import Location
from mlvc.workspace.signing import UsersKeys

PROJECT_VARIABLES = ("MLVC_PROJECT", "WANDB_PROJECT")
USER_VARIABLE = "MLVC_USER"


def own_environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Returns the variables given, or this process' own."""
    return os.environ if given is None else given


class Workspace:
    """A repository, and the files and Git checkout around it.

    Attributes:
        root: the working tree's top folder.
        checkout: the Git checkout, or None.
        repository: the store.
        environment: the variables of this process, or of a test.
        progress: hears of long work.
        followed: runs under way that were looked at.
    """

    def __init__(self, location: Location, environment: Mapping[str, str] | None = None) -> None:
        self.root = location.root
        self.checkout = location.checkout
        self.environment = own_environment(environment)
        self.progress: Progress = SILENT
        self.settings = configuration.read(location.root)
        self.repository = Repository(location.store)
        self.repository.starts_journals = self.settings.may_start_journals
        self.followed = Follower()
        self.run_project: str | None = None
        """The project of the run that this process has active here: names without a project mean its artifacts."""
        self._who: str | None = None
        self._stat_cache: StatCache | None = None
        self._copies: RawCopies | None = None

    # -- opening ----------------------------------------------------------------------------------------------------

    @staticmethod
    def find(start: Path, environment: Mapping[str, str] | None = None) -> Workspace:
        """Opens the workspace that holds a folder; makes its store where a tracked `mlvc.toml` says that there is one.

        Raises:
            NotFoundError: there is none.
        """
        environment = own_environment(environment)
        location = locating.locate(start, environment)
        if location is None or not (location.exists or location.is_expected):
            raise NotFoundError(
                f"there is no mlvc repository in {start} or above it", hint="'mlvc init' makes one, 'mlvc clone' copies one"
            )
        if not location.exists:
            Repository.create(location.store).close()
        return Workspace(location, environment)

    @staticmethod
    def create(
        start: Path, environment: Mapping[str, str] | None = None, *, store: Path | None = None, project: str | None = None
    ) -> tuple[Workspace, bool]:
        """Makes a workspace of a folder, or opens the one that is there.

        Returns:
            The workspace, and whether it is new.
        """
        environment = own_environment(environment)
        location = locating.propose(start, environment, store)
        is_new = not location.exists
        Repository.create(location.store).close()
        locating.write_pointer(location)
        if location.checkout is None and location.store.parent == location.root:
            ignore = location.store / ".gitignore"  # if the folder becomes a Git repository one day
            if not ignore.exists():
                atomic_file.replace(ignore, b"*\n")
        if project is not None:
            configuration.put(location.root, "project", names.check_project(project))
        elif configuration.read(location.root).project is None:
            configuration.put(location.root, "project", names.project_name_from(location.root.name))
        return Workspace(location, environment), is_new

    def __reduce__(self) -> tuple[Any, ...]:
        """Raises TypeError: its environment may include credentials, which go nowhere."""
        raise TypeError("a workspace is not pickled: open it again by its folder")

    def reload_settings(self) -> None:
        """Reads `mlvc.toml` again."""
        self.settings = configuration.read(self.root)
        self.repository.starts_journals = self.settings.may_start_journals

    def close(self) -> None:
        """Closes the caches."""
        self.repository.close()
        if self._stat_cache is not None:
            self._stat_cache.close()

    # -- who and what -----------------------------------------------------------------------------------------------

    @property
    def who(self) -> str:
        """Name and e-mail of the person, as Git knows them, or the login."""
        if self._who is None:
            named = self.environment.get(USER_VARIABLE)
            try:
                login = getpass.getuser()
            except (KeyError, OSError):
                login = str(os.getuid())
            self._who = named or git.identity(self.root) or f"{login} <{login}@{surroundings.host_name()}>"
        return self._who

    @property
    def project(self) -> str:
        """The current project: the active run's, a variable's, `mlvc.toml`'s, the journal's, or the folder's name."""
        if self.run_project is not None:
            return self.run_project
        for name in PROJECT_VARIABLES:
            if self.environment.get(name):
                return names.check_project(self.environment[name])
        if self.settings.project:
            return names.check_project(self.settings.project)
        return self.repository.view().project() or names.project_name_from(self.root.name)

    @property
    def stat_cache(self) -> StatCache:
        """Digests of files by what `stat` says of them."""
        if self._stat_cache is None:
            self._stat_cache = StatCache(self.repository.path / "cache" / "files.sqlite")
        return self._stat_cache

    @property
    def copies(self) -> RawCopies:
        """Whole files to make working files from."""
        if self._copies is None:
            folder = self.repository.path / "cache" / "copies"
            self._copies = RawCopies(folder, self.settings.copies, self.settings.copies_limit)
        return self._copies

    @property
    def placed_path(self) -> Path:
        """The record of which pins this working tree's files are in line with; each worktree has its own."""
        if self.checkout is not None:
            return self.checkout.git_dir / placed_pins.FILE_NAME
        return self.repository.path / "placed" / hashlib.blake2b(os.fsencode(self.root), digest_size=8).hexdigest()

    @property
    def runs_folder(self) -> Path:
        """Where runs under way live."""
        return self.repository.path / "runs"

    def require_project_folder(self, path: Path) -> str:
        """Returns a path relative to the root, with '/'; UsageError when it is outside."""
        absolute = Path(os.path.abspath(path))
        try:
            relative = absolute.relative_to(self.root)
        except ValueError:
            try:
                relative = (absolute.parent.resolve() / absolute.name).relative_to(self.root.resolve())
            except ValueError:
                raise UsageError(f"{path} is outside of {self.root}", hint="only files of the working tree can be pinned") from None
        return relative.as_posix()

    # -- committing and reading -------------------------------------------------------------------------------------

    @contextmanager
    def committing(self, command: str) -> Iterator[Commit]:
        """A commit by this person; see `Repository.committing`."""
        with self.repository.committing(self.who, command, self.progress, UsersKeys(self.root, self.environment)) as commit:
            yield commit

    def first_words(self, view: View) -> list[Operation]:
        """Returns what the very first transaction of a journal says before anything else: the project's name."""
        return [] if view.project() is not None else [Project(self.project)]

    def value(self, stored: Any) -> Any:
        """Returns a user value from what an operation holds, JSON text, or the id of its record; what is no JSON is the text that it is."""
        text = values.from_record(self.repository.objects.read_record(RecordId(stored), Kind.VALUE)) if isinstance(stored, bytes) else stored
        try:
            return values.from_json(text)
        except DamageError:
            return text  # another program wrote it: one odd value must not hide all others

    def value_map(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a user's map from what operations hold."""
        return {name: self.value(value) for name, value in stored.items()}
