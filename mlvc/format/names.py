"""Names of projects, collections, aliases, tags and runs, and how a name typed by a person becomes a stored one.

Stored collection names are `project/name` for a source and `registry:R/name` for a registered model
(`registry/name` and `model-registry/name` mean R = `model`, `wandb-registry-R/name` is R). Links can be collected in a project, too:
`registry:@P/name`, which people write as `P/name`.
"""

from __future__ import annotations

import re

from mlvc.errors import InvalidNameError

MAX_NAME = 128
LATEST = "latest"
DEFAULT_REGISTRY = "model"
DEFAULT_PROJECT = "uncategorized"

_ARTIFACT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\Z")
_PROJECT_FORBIDDEN = re.compile(r"[/\\#?%:\r\n]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_VERSION_LABEL = re.compile(r"v([0-9]+)~?\Z")
_MAX_NUMBER_DIGITS = 18
_TAG = re.compile(r"[-\w]+( +[-\w]+)*\Z")
_RUN_LABEL_FORBIDDEN = re.compile(r"[/\\#?%:\r\n]")
_REGISTRY_PROJECTS = ("registry", "model-registry")
_WANDB_REGISTRY = "wandb-registry-"
_REGISTRY, _IN_PROJECT = "registry:", "@"
_RESERVED_PROJECTS = (*_REGISTRY_PROJECTS, "run")


def check_artifact_name(name: str) -> str:
    """Returns an artifact's name when it is one; InvalidNameError (a ValueError) otherwise."""
    if len(name) > MAX_NAME:
        raise InvalidNameError(f"Artifact name is longer than {MAX_NAME} characters: '{name[:MAX_NAME]} ...'")
    if not _ARTIFACT.match(name):
        raise InvalidNameError(
            "Artifact name may only contain alphanumeric characters, dashes, underscores, and dots, "
            f"and begins with none of the last two but an underscore. Invalid name: {name!r}"
            if name[:1] in ("-", ".")
            else f"Artifact name may only contain alphanumeric characters, dashes, underscores, and dots. Invalid name: {name!r}"
        )
    if ".." in name:
        raise InvalidNameError(f"Artifact name must not contain '..'. Invalid name: {name!r}")
    return name


def artifact_name_from(text: str) -> str:
    """Returns a valid artifact name made from any text, such as a file's stem."""
    cleaned = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9_.\-]+", "-", text)).strip("-.")
    return cleaned[:MAX_NAME] or "artifact"


def check_type(type_name: str, artifact_name: str) -> str:
    """Returns an artifact's type; InvalidNameError for those reserved for what runs log by themselves."""
    reserved = (
        type_name.startswith("wandb-")
        or type_name == "job"
        or (type_name == "run_table" and artifact_name.startswith("run-"))
        or (type_name == "code" and artifact_name.startswith("source-"))
    )
    if reserved:
        raise InvalidNameError(
            f"Artifact type '{type_name}' is reserved for internal use. Please use a different type."
        )
    if not type_name or len(type_name) > MAX_NAME or _UNPRINTABLE.search(type_name):
        raise InvalidNameError(f"an artifact type has 1 to {MAX_NAME} printable characters, found {type_name!r}")
    return type_name


def check_project(name: str) -> str:
    """Returns a project's name when it may hold runs and collections; InvalidNameError otherwise."""
    if not name:
        raise InvalidNameError("Project name cannot be empty")
    if len(name) > MAX_NAME:
        raise InvalidNameError(f"Invalid project name '{name}', must be {MAX_NAME} characters or less")
    if _UNPRINTABLE.search(name):
        raise InvalidNameError(f"Invalid project name {name!r}, must be printable")
    found = sorted(set(_PROJECT_FORBIDDEN.findall(name)))
    if found:
        raise InvalidNameError(f"Invalid project/registry name '{name}', cannot contain characters: {','.join(found)}")
    is_registry_name = name in _RESERVED_PROJECTS or name.startswith(_WANDB_REGISTRY)
    if is_registry_name or name.strip() != name or name in (".", ".."):
        raise InvalidNameError(f"'{name}' cannot name a project: it has a meaning of its own")
    return name


def project_name_from(text: str) -> str:
    """Returns a valid project name made from any text, such as a folder's name."""
    cleaned = _UNPRINTABLE.sub("-", _PROJECT_FORBIDDEN.sub("-", text)).strip()[:MAX_NAME].strip()
    try:
        return check_project(cleaned)
    except InvalidNameError:
        return DEFAULT_PROJECT


def check_alias(alias: str) -> str:
    """Returns an alias when it is one; InvalidNameError otherwise. `latest` passes: callers decide about it."""
    if any(c in alias for c in "/:"):
        raise InvalidNameError("Aliases must not contain any of the following characters: '/', ':'")
    if not alias or len(alias) > MAX_NAME or _UNPRINTABLE.search(alias) or alias.strip() != alias:
        raise InvalidNameError(f"an alias has 1 to {MAX_NAME} printable characters, found {alias!r}")
    if _VERSION_LABEL.match(alias):
        raise InvalidNameError(f"'{alias}' cannot be an alias: it looks like a version number")
    return alias


def check_tag(tag: str) -> str:
    """Returns a tag when it is one; InvalidNameError otherwise."""
    if not _TAG.match(tag) or len(tag) > MAX_NAME:
        raise InvalidNameError(
            "Invalid tag(s).  Tags must only contain alphanumeric characters separated by hyphens, underscores, "
            f"and/or spaces. Found {tag!r}"
        )
    return tag


def check_run_label(label: str) -> str:
    """Returns a run's id as users write it; InvalidNameError when it holds what W&B forbids in one."""
    is_forbidden = _RUN_LABEL_FORBIDDEN.search(label) or _UNPRINTABLE.search(label)
    if not label or len(label) > MAX_NAME or is_forbidden or label != label.strip():
        raise InvalidNameError(f"a run id has 1 to {MAX_NAME} characters, none of / \\ # ? % :, found {label!r}")
    return label


def parse_version_label(text: str) -> int | None:
    """Returns 3 for `v3` or `v3~`, and None for what is no version label, or counts further than any collection can."""
    match = _VERSION_LABEL.match(text)
    return int(match[1]) if match and len(match[1]) <= _MAX_NUMBER_DIGITS else None


def registry_of(project: str) -> str | None:
    """Returns the registry that a project part of a typed name means, or None when it is a plain project."""
    if project in _REGISTRY_PROJECTS:
        return DEFAULT_REGISTRY
    if project.startswith(_WANDB_REGISTRY) and len(project) > len(_WANDB_REGISTRY):
        return project[len(_WANDB_REGISTRY) :]
    return None


def stored_collection(project: str, name: str) -> str:
    """Returns the stored name of a collection; InvalidNameError when project or name break the rules."""
    check_artifact_name(name)
    registry = registry_of(project)
    if registry is None:
        return f"{check_project(project)}/{name}"
    if registry.startswith(_IN_PROJECT) or _PROJECT_FORBIDDEN.search(registry) or _UNPRINTABLE.search(registry) or len(registry) > MAX_NAME:
        raise InvalidNameError(f"'{registry}' cannot name a registry")
    return f"registry:{registry}/{name}"


def link_collection(project: str, name: str) -> str:
    """Returns the stored name of a collection of links in a registry or a project; InvalidNameError when they break the rules."""
    stored = stored_collection(project, name)
    return stored if is_registry(stored) else f"{_REGISTRY}{_IN_PROJECT}{stored}"


def registry_owner(project: str) -> str:
    """Returns what stands before the '/' of the collections of links in a project."""
    return f"{_REGISTRY}{_IN_PROJECT}{project}"


def is_registry(collection: str) -> bool:
    """Tells whether a stored collection holds links (a registered model) rather than sources."""
    return collection.startswith(_REGISTRY)


def split_collection(collection: str) -> tuple[str, str]:
    """Returns the project (or `registry:R`) and the name of a stored collection."""
    project, _, name = collection.partition("/")
    return project, name


def display_collection(collection: str, project: str | None = None) -> str:
    """Returns what to print for a stored collection: without its project when that is the current one."""
    owner, name = split_collection(collection)
    if owner == f"registry:{DEFAULT_REGISTRY}":
        return f"registry/{name}"
    if owner.startswith(f"{_REGISTRY}{_IN_PROJECT}"):
        owner = owner[len(_REGISTRY) + len(_IN_PROJECT) :]
        return name if owner == project else f"{owner}/{name}"
    if owner.startswith("registry:"):
        return f"{_WANDB_REGISTRY}{owner[len('registry:') :]}/{name}"
    return name if owner == project else collection
