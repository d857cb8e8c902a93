"""What `log` takes beside numbers and text, as the history holds it: media become files of the run, tables artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlvc.format import names

if TYPE_CHECKING:
    from mlvc.api.tracked_run import Run
    from mlvc.media.values import Media

_LARGEST_ARRAY = 32
"""An array of more values is logged as their histogram, as W&B does."""


def plain(run: Run, key: str, value: Any) -> Any:
    """Returns a logged value as MessagePack holds it; TypeError for what has no plain form."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else float(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {str(k): plain(run, f"{key}.{k}", v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return _many(run, key, value)
    if isinstance(value, Path) or hasattr(value, "isoformat"):
        return str(value)
    found = _as_media(value)
    if found is not None:
        return media(run, key, found)
    if hasattr(value, "tolist"):
        return _of_array(value)
    if hasattr(value, "item"):
        return plain(run, key, value.item())
    raise TypeError(f"a {type(value).__name__} cannot be logged: give a number, text, media, or a list or dictionary of those")


def _as_media(value: Any) -> Media | None:
    """Returns the media that a value is, or that stands for it: figures, pictures and frames."""
    home = type(value).__module__.partition(".")[0]
    if home == "mlvc":
        from mlvc.media.values import Media

        return value if isinstance(value, Media) else None
    if home == "plotly":
        from mlvc.media.documents import Plotly

        return Plotly(value)
    if home == "matplotlib" or getattr(value, "__name__", "") == "matplotlib.pyplot" or home == "PIL":
        from mlvc.media.images import Image

        return Image(value.gcf() if hasattr(value, "gcf") else value)
    if hasattr(value, "columns") and hasattr(value, "itertuples"):
        from mlvc.media.tables import Table

        return Table(dataframe=value)
    return None


def _many(run: Run, key: str, values: Sequence[Any]) -> Any:
    found = [_as_media(value) for value in values]
    if not found or any(value is None for value in found):
        return [plain(run, key, value) for value in values]
    entries = [media(run, key, value) for value in found if value is not None]
    from mlvc.media.images import Image

    images = [value for value in found if isinstance(value, Image)]
    return Image._of_many(images, entries) if len(images) == len(found) else entries


def media(run: Run, key: str, value: Media) -> Any:
    """Keeps the files of a value with the run, and returns its entry. A table becomes an artifact, and the entry says which."""
    from mlvc.media.charts import CustomChart
    from mlvc.media.content import read
    from mlvc.media.tables import Table

    if isinstance(value, Table):
        return _table(run, key, value)
    if isinstance(value, CustomChart):
        return {**value.said(), "table": _table(run, f"{key}_table", value.table)}
    folder = run._active.files_folder

    def keep(path: str, held: Any) -> None:
        target = folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read(held))

    return value._entry(names.artifact_name_from(key), keep)


def _table(run: Run, key: str, table: Any) -> Any:
    from mlvc.api.artifacts import Artifact

    safe = names.artifact_name_from(key)
    artifact = Artifact._of_run(names.artifact_name_from(f"run-{run.id}-{safe}"), "run_table")
    path = artifact.add(table, safe).path
    logged = run.log_artifact(artifact)
    return {
        "_type": "table-file",
        "ncols": len(table.columns),
        "nrows": table._count(),
        "artifact_path": f"mlvc-artifact://{logged.id}/{path}",
        "artifact": logged.source_name,
    }


def _of_array(value: Any) -> Any:
    shape = getattr(value, "shape", ())
    count = 1
    for length in shape:
        count *= int(length)
    dtype = str(getattr(value, "dtype", ""))
    if count > _LARGEST_ARRAY and ("float" in dtype or "int" in dtype):
        from mlvc.media.histograms import Histogram

        return Histogram(value).said()
    return _off_device(value).tolist()


def _off_device(value: Any) -> Any:
    return value.detach().cpu() if hasattr(value, "detach") else value


