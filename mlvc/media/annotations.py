"""What is said of images: classes, boxes, masks."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mlvc.media.values import FileMedia, Json, Keep, Media, StoredFiles, existing_file


class Classes(Media):
    """A list of {"id": int, "name": str}."""

    __slots__ = ("_class_set",)
    _log_type: ClassVar[str] = "classes"

    def __init__(self, class_set: Sequence[Json]) -> None:
        for one in class_set:
            if "id" not in one or "name" not in one:
                raise ValueError(f"a class is {{'id': ..., 'name': ...}}, found {one!r}")
        self._class_set = sorted((dict(one) for one in class_set), key=lambda one: str(one["id"]))

    def said(self) -> Json:
        """Returns it as JSON."""
        return {"_type": self._log_type, "class_set": self._class_set}

    def _entry(self, name: str, keep: Keep) -> Json:
        return self.said()

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> Classes:
        return cls(entry["class_set"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classes) and other._class_set == self._class_set

    def __hash__(self) -> int:
        return id(self)


class BoundingBoxes2D(Media):
    """Boxes of one kind: {"box_data": [{"position": ..., "class_id": ...}], "class_labels": {id: name}}."""

    __slots__ = ("_key", "_val")
    _log_type: ClassVar[str] = "bounding-boxes"

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        boxes = val.get("box_data")
        if not isinstance(boxes, Sequence):
            raise TypeError("Box data must be a list of dictionaries")
        for box in boxes:
            if "position" not in box:
                raise TypeError("Each box must contain a position with: middle, width, and height or minX, maxX, minY, maxY")
            if "class_id" not in box:
                raise TypeError("A box's class_id must be an integer")
        labels = {str(k): v for k, v in dict(val.get("class_labels") or {}).items()}
        self._val: Json = {"box_data": [dict(box) for box in boxes], "class_labels": labels}
        self._key = key

    def said(self) -> Json:
        """Returns it as JSON."""
        return {"_type": self._log_type, "key": self._key, **self._val}

    def _entry(self, name: str, keep: Keep) -> Json:
        return self.said()

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> BoundingBoxes2D:
        return cls(entry, entry.get("key", ""))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundingBoxes2D) and other._val == self._val

    def __hash__(self) -> int:
        return id(self)


class ImageMask(FileMedia):
    """A mask: {"mask_data": (H, W) integers below 256} or {"path": of an image}, and {"class_labels": {id: name}}."""

    __slots__ = ("_key", "_labels")
    _log_type: ClassVar[str] = "mask"
    _folder: ClassVar[str] = "media/images/mask"

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        self._caption = None
        self._key = key
        self._labels = {str(k): v for k, v in dict(val.get("class_labels") or {}).items()}
        if "mask_data" in val:
            self._content, self._suffix = _encoded(val["mask_data"]), "png"
        elif isinstance(val.get("path"), (str, os.PathLike)):
            path = existing_file(val["path"])
            self._content, self._suffix = path, path.suffix[1:].lower() or "png"
        else:
            raise TypeError('Missing key "mask_data": an image mask requires mask_data or path')

    def said(self) -> Json:
        """Returns what is said of it beside its file."""
        return {"key": self._key, "class_labels": self._labels}

    def _details(self) -> Json:
        return self.said()

    def _restore(self, entry: Json) -> None:
        self._key, self._labels = str(entry.get("key", "")), dict(entry.get("class_labels", {}))


def _encoded(mask: Any) -> bytes:
    import numpy as np

    from mlvc.media.values import needs

    try:
        import PIL.Image
    except ImportError as error:
        raise needs("Pillow", "Masks") from error
    given = np.asarray(mask)
    if given.ndim != 2:
        raise TypeError(f"Mask data must be a 2D array, found shape {list(given.shape)}")
    if given.size and (given.min() < 0 or given.max() > 255):
        raise ValueError("the classes of a mask are numbers from 0 to 255")
    written = io.BytesIO()
    PIL.Image.fromarray(given.astype(np.uint8), mode="L").save(written, "png")
    return written.getvalue()
