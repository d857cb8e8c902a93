"""What a run does with artifacts: logs, uses and links them. What that needs loads when it is first called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlvc.api import notices
from mlvc.api.run_facts import RunFacts
from mlvc.format import names
from mlvc.format.ids import short
from mlvc.workspace import used_before

if TYPE_CHECKING:
    from mlvc.api.artifacts import Artifact
    from mlvc.workspace.draft import Draft
    from mlvc.workspace.publishing import Published


class RunArtifacts(RunFacts):
    """Inputs and outputs of a run under way."""

    def _use_from_config(self, artifact_or_name: Any) -> Artifact:
        return self.use_artifact(artifact_or_name)

    def log_artifact(
        self,
        artifact_or_path: Artifact | str | os.PathLike[str],
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
        *,
        base: str | Artifact | None = None,
    ) -> Artifact:
        """Logs an artifact, or a file or folder as one, as an output of this run.

        New content is stored as differences to what it was derived from: `base` (a reference or an artifact), the version
        before, or what the run has used.

        Returns:
            The artifact, logged. One that was logged before only gets the aliases and tags.

        Raises:
            CommError: there is no such base.
            ValueError: a path is neither file nor folder, a name breaks the rules, or the collection has another type.
        """
        from mlvc.api.artifacts import as_list, find_artifact

        artifact = self._as_artifact(artifact_or_path, name, type)
        if not artifact.is_draft():
            return self._named_again(artifact, as_list(aliases), as_list(tags))
        draft = self._draft(artifact, as_list(aliases), as_list(tags))
        if base is not None:
            derived_from = find_artifact(self._workspace, base) if isinstance(base, str) else base
            draft.base = derived_from._require("use as a base").version
        return self._logged(artifact, self._active.publish(draft, f"run.log_artifact {artifact.name}"))

    def _named_again(self, artifact: Artifact, aliases: Sequence[str], tags: Sequence[str]) -> Artifact:
        """Gives an artifact that is logged already further aliases and tags."""
        if aliases or tags:
            artifact.aliases = [*artifact.aliases, *aliases]
            artifact.tags = [*artifact.tags, *tags]
            artifact.save()
        return artifact

    def _as_artifact(self, given: Artifact | str | os.PathLike[str], name: str | None, kind: str | None) -> Artifact:
        from mlvc.api.artifacts import Artifact

        return given if isinstance(given, Artifact) else self._from_path(os.fspath(given), name, kind)

    def _draft(self, artifact: Artifact, aliases: Sequence[str], tags: Sequence[str]) -> Draft:
        for alias in aliases:
            names.check_alias(alias)
        draft = artifact._draft(self._workspace, self.project, [*artifact._aliases, *aliases], tags)
        draft.step = self._last_step
        return draft

    def _logged(self, artifact: Artifact, published: Published) -> Artifact:
        """Makes a draft the version that it was published as, and says so."""
        from mlvc.api.artifact_drafts import Logged
        from mlvc.workspace import resolving

        artifact._set_logged(Logged(self._workspace, published.member.collection, published.member.version))
        label = resolving.display(self._workspace, published.member)
        again = "" if published.is_new else "  (equal content was there: no new number)"
        notices.say(
            f"{label} @{short(published.member.version)}  {published.files:,} file{'s' if published.files != 1 else ''}, "
            f"{notices.size(published.size_bytes)} ({notices.size(published.new_bytes)} new){again}"
        )
        return artifact

    def _from_path(self, path: str, name: str | None, kind: str | None) -> Artifact:
        from mlvc.api.artifacts import Artifact

        artifact = Artifact(name or f"run-{self.id}-{os.path.basename(path.rstrip('/'))}", kind or "unspecified")
        if os.path.isdir(path):
            artifact.add_dir(path, policy="immutable")
        elif os.path.isfile(path):
            artifact.add_file(path, policy="immutable")
        elif "://" in path:
            artifact.add_reference(path)
        else:
            raise ValueError(f"path must be a file, directory or external reference like s3://bucket/path, found {path!r}")
        return artifact

    def use_artifact(
        self,
        artifact_or_name: str | Artifact,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | str | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Records that this run uses a version, and returns it. A bare name means the latest.

        Raises:
            CommError: there is no such version.
            ValueError: it is of another type than asked for.
        """
        from mlvc.api.artifacts import Artifact, as_list, find_artifact

        if isinstance(artifact_or_name, Artifact):
            artifact = self._published_by_user(artifact_or_name, as_list(aliases))
            name = artifact.name
        elif isinstance(artifact_or_name, str):
            name = artifact_or_name
            given = as_list(aliases)
            if ":" not in name and "@" not in name and len(given) == 1:
                name = f"{name}:{given[0]}"
            artifact = find_artifact(self._workspace, used_before.reference(self._workspace, name) or name)
        else:
            raise ValueError(
                'You must pass an artifact name (e.g. "pedestrian-dataset:v1"), an instance of `wandb.Artifact`, '
                "or `wandb.Api().artifact()` to `use_artifact`"
            )
        if type is not None and type != artifact.type:
            raise ValueError(f"Supplied type {type} does not match type {artifact.type} of artifact {artifact.name}")
        if use_as is not None:
            artifact._use_as = use_as
        self._active.use(artifact._require("use").version, name, artifact._use_as or "")
        return artifact

    def _published_by_user(self, artifact: Artifact, aliases: Sequence[str]) -> Artifact:
        """Publishes a draft as nobody's output: a run does not make what it uses."""
        if not artifact.is_draft():
            return artifact
        from mlvc.workspace import publishing

        draft = self._draft(artifact, aliases, ())
        return self._logged(artifact, publishing.publish(self._workspace, draft, f"run.use_artifact {artifact.name}"))

    def upsert_artifact(
        self,
        artifact_or_path: Artifact | str,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | None = None,
        distributed_id: str | None = None,
    ) -> Artifact:
        """Adds files to a version that several runs make together; `finish_artifact` publishes it.

        Until then the parts are a collection of their own, `NAME.parts-ID`.

        Args:
            artifact_or_path: what this run adds.
            name, type: of the artifact, when it is given as a path.
            aliases: of the version.
            distributed_id: what the runs share; default: their group.

        Raises:
            TypeError: there is neither a distributed_id nor a group.
        """
        from mlvc.api import distributed_artifacts

        return distributed_artifacts.upsert(self, self._as_artifact(artifact_or_path, name, type), aliases or (), self._shared(distributed_id))

    def finish_artifact(
        self,
        artifact_or_path: Artifact | str,
        name: str | None = None,
        type: str | None = None,  # noqa: A002
        aliases: Sequence[str] | None = None,
        distributed_id: str | None = None,
    ) -> Artifact:
        """Publishes what several runs have added with `upsert_artifact`, and what is given here, as one version.

        Raises:
            TypeError: there is neither a distributed_id nor a group.
        """
        from mlvc.api import distributed_artifacts

        return distributed_artifacts.finish(self, self._as_artifact(artifact_or_path, name, type), aliases or (), self._shared(distributed_id))

    def _shared(self, distributed_id: str | None) -> str:
        found = distributed_id or self.group
        if not found:
            raise TypeError("Cannot upsert artifact unless run is in a group or distributed_id is provided")
        return found

    def log_model(
        self,
        path: str,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
        *,
        base: str | Artifact | None = None,
    ) -> None:
        """Logs a file or folder as an artifact of type `model`; `base` as in `log_artifact`."""
        self._log_model(path, name, aliases, base)

    def _log_model(
        self, path: str, name: str | None, aliases: Sequence[str] | str | None, base: str | Artifact | None = None
    ) -> Artifact:
        name = name or f"run-{self.id}-{os.path.basename(os.fspath(path).rstrip('/'))}"
        return self.log_artifact(path, name, "model", aliases, base=base)

    def use_model(self, name: str) -> str:
        """Records that this run uses a model, downloads it, and returns the file's path (of several: the folder's).

        Raises:
            AssertionError: its type has no 'model' in it.
        """
        artifact = self.use_artifact(name)
        if "model" not in artifact.type.lower():
            raise AssertionError("You can only use this method for 'model' artifacts. For an artifact to be a 'model' artifact, its type property must contain the substring 'model'.")
        folder = artifact.download()
        held = sorted(os.listdir(folder))
        return os.path.join(folder, held[0]) if len(held) == 1 else folder

    def link_artifact(
        self, artifact: Artifact, target_path: str, aliases: Sequence[str] | str | None = None
    ) -> Artifact:
        """Links an artifact (logging a draft first) into a registered model; aliases go on the link."""
        from mlvc.api.artifacts import Artifact, Logged, as_list, registry_target
        from mlvc.workspace import resolving

        logged = (self.log_artifact(artifact) if artifact.is_draft() else artifact)._require("link")
        target = registry_target(self._workspace, target_path)
        if used_before.is_reproduction(self._workspace):
            notices.say(f"{artifact.source_name} is not linked to {target_path}: a reproduction moves nothing")
            return artifact
        member = self._active.link(logged.version, target, as_list(aliases), f"run.link_artifact {target_path}")
        notices.say(f"{resolving.display(self._workspace, member)} is {artifact.source_name}")
        return Artifact._from_logged(Logged(self._workspace, target, logged.version))

    def link_model(
        self,
        path: str,
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Logs a model and links it into `registry/registered_model_name`.

        Raises:
            AssertionError: the name has a '/', or the artifact `name` is of a type without 'model' in it.
        """
        from mlvc.workspace import resolving

        if "/" in registered_model_name:
            raise AssertionError("Please provide only the name of the registered model. Do not append the entity or project name.")
        if name is not None:
            view = self._workspace.repository.view()
            known = view.collection(resolving.collection_name(self._workspace, view, name))
            if known is not None and known.types and "model" not in known.type.lower():
                raise AssertionError(f"You can only use this method for 'model' artifacts; {name} is a {known.type}")
        artifact = self._log_model(path, name, None)
        return self.link_artifact(artifact, f"registry/{registered_model_name}", aliases)
