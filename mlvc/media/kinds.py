"""Every kind of value that an artifact can hold, by the name its entry bears."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlvc.media.values import Json, Media, StoredFiles

HOMES = {
    "Audio": "sounds",
    "BoundingBoxes2D": "annotations",
    "Classes": "annotations",
    "CustomChart": "charts",
    "Histogram": "histograms",
    "Html": "documents",
    "Image": "images",
    "ImageMask": "annotations",
    "JoinedTable": "joined_tables",
    "Molecule": "documents",
    "Object3D": "documents",
    "PartitionedTable": "joined_tables",
    "Plotly": "documents",
    "Table": "tables",
    "Video": "documents",
}
"""Class -> the module of this package that holds it; loaded when first asked for."""

_BY_ENTRY = {
    "audio-file": "Audio",
    "bounding-boxes": "BoundingBoxes2D",
    "classes": "Classes",
    "custom-chart": "CustomChart",
    "histogram": "Histogram",
    "html-file": "Html",
    "image-file": "Image",
    "mask": "ImageMask",
    "joined-table": "JoinedTable",
    "molecule-file": "Molecule",
    "object3D-file": "Object3D",
    "partitioned-table": "PartitionedTable",
    "plotly-file": "Plotly",
    "table": "Table",
    "video-file": "Video",
}

ENTRY_NAMES = tuple(_BY_ENTRY)
"""The `_type` of each kind; a value added as `NAME` lies in `NAME.TYPE.json`."""


def load(name: str) -> type[Media]:
    """Returns a class of this package by its name."""
    found: type[Media] = getattr(import_module(f"mlvc.media.{HOMES[name]}"), name)
    return found


def from_entry(entry: Json, files: StoredFiles) -> Media | None:
    """Returns the value that a stored entry stands for, or None for a kind that is not known."""
    known = _BY_ENTRY.get(str(entry.get("_type")))
    return None if known is None else load(known)._from_entry(entry, files)
