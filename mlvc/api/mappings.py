"""`run.config` and `run.summary`: mappings that also answer to attributes, each change durable at once."""

from __future__ import annotations

import os
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping
from typing import Any

from mlvc.errors import UsageError
from mlvc.format import values

Put = Callable[[dict[str, Any], list[str]], None]
"""Records changed and removed keys."""


class ConfigError(UsageError):
    """A config value would change without leave."""


class Summary(MutableMapping[str, Any]):
    """The last value of every metric, and what is set by hand."""

    def __init__(self, known: dict[str, Any], put: Put) -> None:
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_put", put)

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

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
            return self._known[key]
        except KeyError:
            raise AttributeError(f"there is no '{key}'") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def update(self, given: Mapping[str, Any] | None = None, /, **more: Any) -> None:  # type: ignore[override]
        """Sets several keys at once."""
        changed = {str(k): _copied(v) for k, v in {**(given or {}), **more}.items()}
        self._known.update(changed)
        self._put(changed, [])

    def __repr__(self) -> str:
        return repr(dict(self._known))


class Config(Summary):
    """A run's inputs. In a script, a key that is set keeps its value unless `allow_val_change`."""

    def __init__(self, known: dict[str, Any], put: Put, *, allow_val_change: bool) -> None:
        super().__init__(known, put)
        object.__setattr__(self, "_allow", allow_val_change)

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
        plain = {str(k).replace("-", ""): _copied(v) for k, v in changed.items()}
        allow = self._allow if allow_val_change is None else allow_val_change
        for key, value in plain.items():
            if not allow and key in self._known and self._known[key] != value:
                raise ConfigError(
                    f'Attempted to change value of key "{key}" from {self._known[key]!r} to {value!r}',
                    hint="If you really want to do this, pass allow_val_change=True to config.update()",
                )
        if plain:
            self._known.update(plain)
            self._put(plain, [])

    def setdefaults(self, given: Any) -> None:
        """Sets the keys that are not set yet."""
        self.update({k: v for k, v in as_mapping(given).items() if k not in self._known})

    def as_dict(self) -> dict[str, Any]:
        """Returns a copy as a plain dictionary."""
        return dict(self._known)

    def keys(self) -> KeysView[str]:
        """Returns the keys that users set: those without a leading underscore."""
        return {k: v for k, v in self._known.items() if not k.startswith("_")}.keys()

    def items(self) -> ItemsView[str, Any]:
        """Returns keys and values, as `keys`."""
        return {k: v for k, v in self._known.items() if not k.startswith("_")}.items()


def _copied(value: Any) -> Any:
    """Returns a value as it will be recorded, numbers that JSON has no word for still numbers."""
    if isinstance(value, float):
        return float(value)
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
