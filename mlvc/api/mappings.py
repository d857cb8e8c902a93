"""`run.config` and `run.summary`: mappings that also answer to attributes, each change durable at once."""

from __future__ import annotations

import os
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping
from typing import Any

from mlvc.errors import UsageError
from mlvc.format import values

Put = Callable[[dict[str, Any], list[str]], None]
"""Records changed and removed keys."""

UseArtifact = Callable[[Any], Any]
"""Makes the run use an artifact, given itself or its name, and returns it."""

_ARTIFACT_URL = "wandb-artifact://"


class ConfigError(UsageError):
    """A config value would change without leave."""


class Summary(MutableMapping[str, Any]):
    """What every metric sums up to, and what is set by hand. Dictionaries in it can be changed in place, too."""

    def __init__(self, known: dict[str, Any], put: Put) -> None:
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_put", put)

    def __getitem__(self, key: str) -> Any:
        value = self._known[key]
        return Nested(value, lambda: self._put({key: self._known[key]}, [])) if isinstance(value, dict) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._known[key]
        self._put({}, [key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no '{key}'") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        del self[key]

    def update(self, given: Mapping[str, Any] | None = None, /, **more: Any) -> None:  # type: ignore[override]
        """Sets several keys at once."""
        changed = {str(k): _copied(v) for k, v in {**(given or {}), **more}.items()}
        self._known.update(changed)
        self._put(changed, [])

    def __repr__(self) -> str:
        return repr(dict(self._known))


class Nested(dict[str, Any]):
    """A dictionary inside a summary: a change of it is recorded as a change of the whole."""

    def __init__(self, held: dict[str, Any], changed: Callable[[], None]) -> None:
        super().__init__(held)
        self.__dict__["_held"] = held
        self.__dict__["_changed"] = changed

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return Nested(value, self._changed) if isinstance(value, dict) else value

    def __setitem__(self, key: str, value: Any) -> None:
        self._held[key] = _copied(value)
        super().__setitem__(key, self._held[key])
        self._changed()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        del self._held[key]
        self._changed()

    def update(self, given: Mapping[str, Any] | None = None, /, **more: Any) -> None:  # type: ignore[override]
        """Sets several keys."""
        for key, value in {**(given or {}), **more}.items():
            self[key] = value

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no '{key}'") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


class Config(Summary):
    """A run's inputs. In a script, a key that is set keeps its value unless `allow_val_change`.

    An artifact (or a `wandb-artifact://` name, or what another run's config says of one) as a value is used by the run.
    """

    def __init__(
        self, known: dict[str, Any] | None = None, put: Put | None = None, *, allow_val_change: bool = False, use: UseArtifact | None = None
    ) -> None:
        super().__init__({} if known is None else known, put or (lambda _changed, _removed: None))
        object.__setattr__(self, "_allow", allow_val_change)
        object.__setattr__(self, "_use", use)

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def update(
        self, given: Any = None, /, *, allow_val_change: bool | None = None, **more: Any
    ) -> None:
        """Sets several keys.

        Args:
            given: a mapping, an argparse.Namespace, or the path of a YAML or JSON file.
            allow_val_change: whether keys that are set may change.
            more: further keys.

        Raises:
            ConfigError: a key would change without leave.
        """
        changed = {**as_mapping(given), **more}
        shown: dict[str, Any] = {}
        recorded: dict[str, Any] = {}
        for given_key, value in changed.items():
            key = str(given_key).replace("-", "")
            shown[key], recorded[key] = self._taken(key, value)
        allow = self._allow if allow_val_change is None else allow_val_change
        for key, value in shown.items():
            if not allow and key in self._known and self._known[key] != value:
                raise ConfigError(
                    f'Attempted to change value of key "{key}" from {self._known[key]!r} to {value!r}\n'
                    "If you really want to do this, pass allow_val_change=True to config.update()"
                )
        if shown:
            self._known.update(shown)
            self._put(recorded, [])

    def _taken(self, key: str, value: Any) -> tuple[Any, Any]:
        """Returns what a value is from now on, and what is recorded of it."""
        _refuse_media(key, value)
        named = _artifact_named(value)
        if _is_artifact(value) or named is not None:
            if self._use is None:
                return value, repr(value)
            used = self._use(value if named is None else named)
            return used, used.json_encode()
        plain = _copied(value)
        return plain, plain

    def setdefaults(self, given: Any) -> None:
        """Sets the keys that are not set yet."""
        self.update({k: v for k, v in as_mapping(given).items() if k not in self._known})

    def get(self, key: str, default: Any = None) -> Any:
        """Returns a value, or `default`."""
        return self._known.get(key, default)

    def as_dict(self) -> dict[str, Any]:
        """Returns a copy as a plain dictionary."""
        return dict(self._known)

    def keys(self) -> KeysView[str]:
        """Returns the keys that users set: those without a leading underscore."""
        return {k: v for k, v in self._known.items() if not k.startswith("_")}.keys()

    def items(self) -> ItemsView[str, Any]:
        """Returns keys and values, as `keys`."""
        return {k: v for k, v in self._known.items() if not k.startswith("_")}.items()


def _artifact_named(value: Any) -> str | None:
    """Returns the name of the artifact that a config value stands for: a URL, with or without a host, or what W&B writes of one."""
    if isinstance(value, str) and value.startswith(_ARTIFACT_URL):
        rest = value.removeprefix(_ARTIFACT_URL)
        at = rest.find("_id/")
        if at >= 0:
            return rest[at:]
        return "/".join(rest.partition("://")[2].split("/")[1:]) if "://" in rest else rest.removeprefix("None/").lstrip("/")
    if isinstance(value, Mapping) and value.get("_type") == "artifactVersion" and "id" in value:
        return f"_id/{value['id']}"
    return None


def _is_artifact(value: Any) -> bool:
    return hasattr(value, "json_encode") and hasattr(value, "is_draft")


def _refuse_media(key: str, value: Any, *, inside: bool = False) -> None:
    """Raises what W&B does for values that no config can hold."""
    if type(value).__module__.startswith("mlvc.media"):
        raise TypeError("WBValue objects cannot be assigned to the run config")
    if inside and _is_artifact(value):
        raise ValueError(f"Instances of wandb.Artifact can only be top level keys in a run's config, found one in {key!r}")
    if isinstance(value, Mapping):
        for one in value.values():
            _refuse_media(key, one, inside=True)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _refuse_media(key, one, inside=True)


def _copied(value: Any) -> Any:
    """Returns a value as it will be recorded, numbers that JSON has no word for still numbers."""
    if isinstance(value, float):
        return float(value)
    if type(value).__module__.startswith("mlvc.media"):
        return value._entry("value", lambda _path, _held: None)
    return values.from_json(values.to_json(values.spelled_out(value)))


def as_mapping(given: Any) -> dict[str, Any]:
    """Returns what people pass as config as a dictionary; UsageError for what is none."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, (str, os.PathLike)):
        return _from_file(os.fspath(given))
    if hasattr(given, "flag_values_dict"):
        return dict(given.flag_values_dict())
    if hasattr(given, "__dict__"):
        return dict(vars(given))
    raise UsageError(f"config is a dictionary, a namespace or a file's path, found a {type(given).__name__}")


def _from_file(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise UsageError(f"the config file {path} cannot be read: {error.strerror}") from error
    if path.endswith(".json"):
        return dict(values.from_json(text))
    try:
        import yaml
    except ImportError as error:
        raise UsageError(f"the config file {path} is YAML, and PyYAML is not installed", hint="pip install pyyaml") from error
    loaded = yaml.safe_load(text) or {}
    return {k: v["value"] if isinstance(v, dict) and set(v) <= {"value", "desc"} else v for k, v in loaded.items()}
