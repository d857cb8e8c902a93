"""What a file is, by the ending of its name: how it is shown, and as what it is served."""

from __future__ import annotations

from pathlib import PurePosixPath

IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp", ".svg": "image/svg+xml"}
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".m4a": "audio/mp4"}
FILMS = {".mp4": "video/mp4", ".webm": "video/webm"}
PAGES = {".html": "text/html", ".htm": "text/html"}
MARKDOWN = (".md", ".markdown")
TENSORS = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".bin", ".gguf", ".h5", ".hdf5", ".keras")



def content_type(path: str) -> tuple[str, bool]:
    """Returns the type that a file is served as, and whether a page may show it; anything else is only saved to disk."""
    suffix = PurePosixPath(path).suffix.lower()
    for known in (IMAGES, SOUNDS, FILMS, PAGES):
        if suffix in known:
            return known[suffix], True
    return "application/octet-stream", False
