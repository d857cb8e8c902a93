"""Where things are: the path of each page, and back. Paths name things as people do, so that they can be shared."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from mlvc.format import names
from mlvc.lineage.graph import Key, key_text


def collection(name: str) -> str:
    """Returns the page of a collection, by its stored name."""
    owner, rest = names.split_collection(name)
    first = "/registry" if owner == f"registry:{names.DEFAULT_REGISTRY}" else f"/artifacts/{quote(owner, safe='')}"
    return f"{first}/{quote(rest, safe='')}"


def version(name: str, label: str, tab: str = "") -> str:
    """Returns the page of a version, or one of its tabs; `label` as `v3`."""
    return f"{collection(name)}/{label.rstrip('~')}" + (f"/{tab}" if tab else "")


def entry(name: str, label: str, path: str, kind: str = "files") -> str:
    """Returns the page of one of a version's files, or, of the kind `raw`, its bytes."""
    return f"{version(name, label, kind)}/{quote(path, safe='/')}"


def run(project: str, label: str, tab: str = "") -> str:
    """Returns the page of a run, or one of its tabs."""
    return f"/runs/{quote(project, safe='')}/{quote(label, safe='')}" + (f"/{tab}" if tab else "")


def runs(project: str) -> str:
    """Returns the page of a project's runs."""
    return f"/runs/{quote(project, safe='')}"


def lineage(of: Key | str, asked: Iterable[tuple[str, object]] = ()) -> str:
    """Returns the page of the lineage around a node."""
    return with_query("/lineage", [("of", of if isinstance(of, str) else key_text(of)), *asked])


def with_query(path: str, pairs: Iterable[tuple[str, object]]) -> str:
    """Returns a path with a query, of the pairs that say something."""
    said = [(name, value) for name, value in pairs if value not in (None, "")]
    return f"{path}?{urlencode(said, safe=':')}" if said else path
