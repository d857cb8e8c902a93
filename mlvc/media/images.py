"""Images: of arrays, tensors, Pillow images, figures and files; kept as files, with masks, boxes and classes beside."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mlvc.media import content
from mlvc.media.annotations import BoundingBoxes2D, Classes, ImageMask
from mlvc.media.values import FileMedia, Json, Keep, StoredFiles, existing_file, needs

_ACCEPTED = ("png", "jpg", "jpeg", "bmp")


class Image(FileMedia):
    """An image.

    Args:
        data_or_path: array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), tensor of shape (C, H, W), Pillow image, figure of
            matplotlib, path of a file, or another `Image`. Values of arrays and tensors: all within [0, 1] are multiplied by
            255, all within [-1, 1] mapped to 0..255, others clipped to it (as W&B did until 0.28).
        mode: of Pillow; default: by the number of channels.
        caption: free text.
        grouping: of W&B; kept.
        classes: list of {"id": int, "name": str}, for masks and boxes.
        boxes: name -> {"box_data": [...], "class_labels": {...}}.
        masks: name -> {"mask_data": (H, W) integers, "class_labels": {...}}.
        file_type: png (default), jpg, jpeg or bmp.
        normalize: whether arrays are rescaled as said above.

    Raises:
        ValueError: of another shape, no such file, or an unknown file type.
    """

    __slots__ = ("_boxes", "_classes", "_decoded", "_grouping", "_height", "_masks", "_width")
    _log_type: ClassVar[str] = "image-file"
    _folder: ClassVar[str] = "media/images"
    MAX_ITEMS = 108

    def __init__(
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Classes | Sequence[Json] | None = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool = True,
    ) -> None:
        self._decoded: Any = None
        self._width: int | None = None
        self._height: int | None = None
        self._caption = caption
        self._grouping = grouping
        self._classes: Classes | None = None
        self._masks: dict[str, ImageMask] = {}
        self._boxes: dict[str, BoundingBoxes2D] = {}
        if isinstance(data_or_path, Image):
            self._copy(data_or_path)
        elif isinstance(data_or_path, (str, os.PathLike)):
            path = existing_file(data_or_path)
            self._content, self._suffix = path, path.suffix[1:].lower() or "png"
        else:
            self._encode(_to_pillow(data_or_path, mode, normalize), file_type)
        self._annotate(classes, boxes, masks)

    def _copy(self, other: Image) -> None:
        self._content, self._suffix, self._decoded = other._content, other._suffix, other._decoded
        self._width, self._height = other._width, other._height
        self._caption = self._caption if self._caption is not None else other._caption
        self._grouping = self._grouping if self._grouping is not None else other._grouping
        self._classes, self._masks, self._boxes = other._classes, dict(other._masks), dict(other._boxes)

    def _encode(self, picture: Any, file_type: str | None) -> None:
        suffix = file_type or "png"
        if suffix not in _ACCEPTED:
            raise ValueError(f"file_type must be one of {list(_ACCEPTED)}")
        written = io.BytesIO()
        picture.save(written, {"jpg": "jpeg"}.get(suffix, suffix))
        self._content, self._suffix = written.getvalue(), suffix
        self._width, self._height = picture.size

    def _annotate(self, classes: Any, boxes: Mapping[str, Any] | None, masks: Mapping[str, Any] | None) -> None:
        if classes is not None:
            self._classes = classes if isinstance(classes, Classes) else Classes(list(classes))
        if boxes is not None and not isinstance(boxes, Mapping):
            raise ValueError('Images "boxes" argument must be a dictionary')
        if masks is not None and not isinstance(masks, Mapping):
            raise ValueError('Images "masks" argument must be a dictionary')
        for key, box in (boxes or {}).items():
            self._boxes[key] = box if isinstance(box, BoundingBoxes2D) else BoundingBoxes2D(box, key)
        for key, mask in (masks or {}).items():
            self._masks[key] = mask if isinstance(mask, ImageMask) else ImageMask(mask, key)

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def image(self) -> Any:
        """The Pillow image."""
        if self._decoded is None:
            pillow = _pillow()
            self._decoded = pillow.open(io.BytesIO(content.read(self._content)))
            self._decoded.load()
        return self._decoded

    @property
    def format(self) -> str:
        """The kind of file: `png`."""
        return self._suffix

    @property
    def width(self) -> int:
        """In pixels."""
        self._measure()
        return self._width or 0

    @property
    def height(self) -> int:
        """In pixels."""
        self._measure()
        return self._height or 0

    def _measure(self) -> None:
        if self._width is None or self._height is None:
            with _pillow().open(io.BytesIO(content.read(self._content))) as picture:
                self._width, self._height = picture.size

    def to_data_array(self) -> list[Any]:
        """Returns the pixels, as nested lists of shape (H, W) or (H, W, channels)."""
        import numpy as np

        pixels: list[Any] = np.array(self.image).tolist()
        return pixels

    # -- to files and back ----------------------------------------------------------------------------------------------

    def _details(self) -> Json:
        said: Json = {"format": self._suffix, "width": self.width, "height": self.height, **FileMedia._details(self)}
        if self._grouping is not None:
            said["grouping"] = self._grouping
        if self._classes is not None:
            said["classes"] = self._classes.said()
        if self._boxes:
            said["boxes"] = {key: box.said() for key, box in self._boxes.items()}
        if self._masks:
            said["masks"] = {key: mask.said() for key, mask in self._masks.items()}
        return said

    def _entry(self, name: str, keep: Keep) -> Json:
        entry = FileMedia._entry(self, name, keep)
        for key, mask in self._masks.items():
            entry["masks"][key] = mask._entry(name, keep)
        return entry

    def _restore(self, entry: Json) -> None:
        self._decoded = None
        self._width, self._height = entry.get("width"), entry.get("height")
        self._grouping = entry.get("grouping")
        classes = entry.get("classes")
        self._classes = Classes(classes["class_set"]) if isinstance(classes, dict) and "class_set" in classes else None
        self._boxes = {key: BoundingBoxes2D(said, key) for key, said in entry.get("boxes", {}).items() if "box_data" in said}
        self._masks = {}

    @classmethod
    def _from_entry(cls, entry: Json, files: StoredFiles) -> Image:
        value = FileMedia._from_entry.__func__(cls, entry, files)  # type: ignore[attr-defined]
        assert isinstance(value, Image)
        for key, said in entry.get("masks", {}).items():
            mask = ImageMask._from_entry(said, files)
            assert isinstance(mask, ImageMask)
            value._masks[key] = mask
        return value

    @classmethod
    def _of_many(cls, images: Sequence[Image], entries: Sequence[Json]) -> Json:
        """Returns what a history holds for a list of images."""
        said: Json = {
            "_type": "images/separated",
            "width": images[0].width,
            "height": images[0].height,
            "format": images[0].format,
            "count": len(images),
            "filenames": [entry["path"] for entry in entries],
        }
        if any(image._caption is not None for image in images):
            said["captions"] = [image._caption or "" for image in images]
        return said


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise needs("Pillow", "Images") from error
    return PIL.Image


def _to_pillow(given: Any, mode: str | None, normalize: bool) -> Any:
    pillow = _pillow()
    if isinstance(given, pillow.Image):
        return given
    if hasattr(given, "savefig") or hasattr(getattr(given, "figure", None), "savefig"):
        return _of_figure(pillow, given)
    import numpy as np

    pixels = _of_tensor(given) if hasattr(given, "detach") else np.asarray(given)
    if pixels.dtype == object or pixels.dtype.kind in "USO":
        raise ValueError(f"an image is made of numbers, found an array of {pixels.dtype}")
    if pixels.ndim > 2:
        pixels = pixels.squeeze()
    chosen = mode or _mode_of(pixels)
    if normalize:
        pixels = to_bytes_range(pixels)
    elif pixels.dtype != np.uint8:
        pixels = pixels.astype(np.uint8)
    picture = pillow.fromarray(np.ascontiguousarray(pixels))
    return picture if picture.mode == chosen else picture.convert(chosen)


def _mode_of(pixels: Any) -> str:
    if pixels.ndim == 2:
        return "L"
    channels = pixels.shape[-1] if pixels.ndim == 3 else 0
    if channels in (3, 4):
        return "RGB" if channels == 3 else "RGBA"
    raise ValueError(f"Un-supported shape for image conversion {list(pixels.shape)}")


def to_bytes_range(pixels: Any) -> Any:
    """Returns an array of numbers as 0..255, guessing what range they are in (see `Image`)."""
    import numpy as np

    if pixels.size == 0:
        return pixels.astype(np.uint8)
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    lowest, highest = pixels.min(), pixels.max()
    if lowest >= 0 and highest <= 1:
        return (pixels * np.float64(255)).astype(np.uint8)
    if lowest >= -1 and highest <= 1:
        return (127.5 * (pixels.astype(np.float64) + 1)).astype(np.uint8)
    return np.nan_to_num(pixels).clip(0, 255).astype(np.uint8)


def _of_tensor(tensor: Any) -> Any:
    """Returns a (C, H, W) tensor of torch as (H, W, C), and a batch of them as one row of images."""
    import numpy as np

    plain = tensor.detach().cpu()
    if str(plain.dtype) == "torch.bfloat16":
        plain = plain.float()
    pixels = plain.numpy()
    if pixels.ndim == 4:
        pixels = np.concatenate(list(pixels), axis=-1)
    return np.moveaxis(pixels, 0, -1) if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) else pixels


def _of_figure(pillow: Any, figure: Any) -> Any:
    written = io.BytesIO()
    drawn = figure if hasattr(figure, "savefig") else figure.figure
    drawn.savefig(written, format="png")
    return pillow.open(io.BytesIO(written.getvalue()))
