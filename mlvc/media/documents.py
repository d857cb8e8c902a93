"""Pages, figures and files that a browser shows: Html, Plotly, Video, Object3D, Molecule."""

from __future__ import annotations

import io
import json
import os
from typing import Any, ClassVar

from mlvc.media import content
from mlvc.media.values import FileMedia, Json, existing_file, needs


class Html(FileMedia):
    """A page.

    Args:
        data: HTML, a file object with it, or the path of a file that ends in `.html`.
        inject: whether links are made to open in a new tab.
        data_is_not_path: take text that looks like a path for HTML.
    """

    __slots__ = ("_html",)
    _log_type: ClassVar[str] = "html-file"
    _folder: ClassVar[str] = "media/html"

    def __init__(self, data: Any, inject: bool = True, data_is_not_path: bool = False, caption: str | None = None) -> None:
        self._caption = caption
        self._suffix = "html"
        if hasattr(data, "read"):
            data = data.read()
            text = data.decode() if isinstance(data, bytes) else str(data)
        elif isinstance(data, os.PathLike) or (not data_is_not_path and isinstance(data, str) and data.endswith(".html") and os.path.exists(data)):
            text = existing_file(data).read_text(encoding="utf-8")
        elif isinstance(data, str):
            text = data
        else:
            raise ValueError("data must be a string, a path or a file object")
        if inject and "<base " not in text:
            at = text.lower().find("<head>")
            at = at + len("<head>") if at >= 0 else 0
            text = f'{text[:at]}<base target="_blank">{text[at:]}'
        self._content = text.encode()

    @property
    def html(self) -> str:
        """The page's text."""
        return content.read(self._content).decode()


class Plotly(FileMedia):
    """A figure of Plotly (or of matplotlib, drawn by Plotly), or the path of a `.plotly.json` or `.html` file."""

    __slots__ = ()
    _log_type: ClassVar[str] = "plotly-file"
    _folder: ClassVar[str] = "media/plotly"

    def __init__(self, val: Any) -> None:
        self._caption = None
        if isinstance(val, (str, os.PathLike)):
            path = existing_file(val)
            self._content, self._suffix = path, "html" if path.suffix == ".html" else "plotly.json"
            return
        if not hasattr(val, "to_json"):
            raise ValueError(f"a figure of Plotly or a path is needed, found a {type(val).__name__}")
        self._content, self._suffix = val.to_json().encode(), "plotly.json"

    @property
    def figure(self) -> Json:
        """The figure as JSON."""
        found: Json = json.loads(content.read(self._content))
        return found


class Video(FileMedia):
    """Moving pictures.

    Args:
        data_or_path: array of shape (time, channels, height, width), integers 0..255, kept as GIF; or a file's path.
        caption: free text.
        fps: frames a second of an array; default 4.
        format: of an array: gif.
    """

    __slots__ = ("_fps",)
    _log_type: ClassVar[str] = "video-file"
    _folder: ClassVar[str] = "media/videos"

    def __init__(self, data_or_path: Any, caption: str | None = None, fps: int | None = None, format: str | None = None) -> None:  # noqa: A002
        self._caption = caption
        self._fps = fps
        if isinstance(data_or_path, (str, os.PathLike)):
            path = existing_file(data_or_path)
            self._content, self._suffix = path, path.suffix[1:].lower() or "mp4"
            return
        if format not in (None, "gif"):
            raise ValueError(f"arrays are kept as gif; write the {format} file yourself and give its path")
        self._content, self._suffix = _gif(data_or_path, fps or 4), "gif"

    def _restore(self, entry: Json) -> None:
        self._fps = entry.get("fps")


def _gif(frames: Any, fps: int) -> bytes:
    try:
        import PIL.Image
    except ImportError as error:
        raise needs("Pillow", "Videos of arrays") from error
    import numpy as np

    shown = np.asarray(frames)
    if shown.ndim != 4 or shown.shape[1] not in (1, 3, 4):
        raise ValueError(f"a video has shape (time, channels, height, width), found {list(shown.shape)}")
    pixels = np.moveaxis(shown.astype(np.uint8), 1, -1)
    pictures = [PIL.Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p) for p in pixels]
    written = io.BytesIO()
    pictures[0].save(written, "gif", save_all=True, append_images=pictures[1:], duration=1000 // fps, loop=0)
    return written.getvalue()


class Object3D(FileMedia):
    """A file of obj, gltf, glb, babylon or stl, or a point cloud: an array of shape (points, 3, 4 or 6)."""

    __slots__ = ()
    _log_type: ClassVar[str] = "object3D-file"
    _folder: ClassVar[str] = "media/object3D"

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str | None = None) -> None:
        self._caption = caption
        if isinstance(data_or_path, (str, os.PathLike)):
            path = existing_file(data_or_path)
            self._content, self._suffix = path, path.suffix[1:].lower()
        elif hasattr(data_or_path, "read"):
            if not file_type:
                raise ValueError("Must pass file type keyword argument when using io objects.")
            data = data_or_path.read()
            self._content, self._suffix = data if isinstance(data, bytes) else data.encode(), file_type
        else:
            import numpy as np

            points = np.asarray(data_or_path)
            if points.ndim != 2 or points.shape[1] not in (3, 4, 6):
                raise ValueError(f"The shape of the numpy array must be one of either: [[x y z], ...] nx3, nx4 or nx6, found {list(points.shape)}")
            self._content, self._suffix = json.dumps(points.tolist()).encode(), "pts.json"


class Molecule(FileMedia):
    """A file of a molecule (pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2, mmtf), by path."""

    __slots__ = ()
    _log_type: ClassVar[str] = "molecule-file"
    _folder: ClassVar[str] = "media/molecule"

    def __init__(self, data_or_path: Any, caption: str | None = None, file_type: str | None = None) -> None:
        self._caption = caption
        if hasattr(data_or_path, "read"):
            if not file_type:
                raise ValueError("Must pass file_type keyword argument when using io objects.")
            data = data_or_path.read()
            self._content, self._suffix = data if isinstance(data, bytes) else data.encode(), file_type
        else:
            path = existing_file(data_or_path)
            self._content, self._suffix = path, path.suffix[1:].lower()
