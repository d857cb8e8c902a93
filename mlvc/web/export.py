"""The same pages as files, to publish or to attach: every page that links lead to, with relative addresses and no forms."""

from __future__ import annotations

import errno
import re
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlvc import atomic_file
from mlvc.errors import LocalFileError, UsageError
from mlvc.format.ids import digest
from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.site import Site
from mlvc.workspace.workspace import Workspace

_ADDRESS = re.compile(r'(?P<before>\b(?:href|src)=")(?P<address>/[^"]*)"')
_NUMBERS = '<script type="application/json"'
_INLINE = re.compile(rf"({_NUMBERS}[^<]*</script>)")
_NO_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
_PAGES = 20_000
_LARGE = 8 << 20
_LEFT_OUT = ("/act/", "/events", "/compare", "/openapi.json")


def export(workspace: Workspace, folder: Path, tell: Callable[[str], None]) -> int:
    """Writes the site into a new or empty folder; returns how many pages there are.

    Files of artifacts are part of it up to 8 MB each. Addresses with a question, as of sorted tables, are left out.

    Raises:
        UsageError: the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty", hint="name a new folder to export into")
    with closing(Asker(application(Site(workspace, is_export=True)))) as asker:
        return _written(asker, folder, tell)


def _written(asker: Asker, folder: Path, tell: Callable[[str], None]) -> int:
    waiting = deque(["/", "/registry", "/artifacts", "/runs"])
    seen = set(waiting)
    count = 0
    while waiting:
        address = waiting.popleft()
        answer = asker.ask(address, most=_LARGE)
        if answer.status != 200 or not answer.is_whole:
            why = answer.status if answer.status != 200 else "too large" if int(answer.headers.get("content-length", 0)) > _LARGE else "not all of it is here"
            tell(f"left out: {address} ({why})")
            continue
        data = answer.data
        if is_page(urlsplit(address).path):
            count += 1
            found: list[str] = []
            data = _relative(answer.text, address, found).encode()
            fresh = [one for one in dict.fromkeys(found) if one not in seen and len(seen) < _PAGES]
            seen.update(fresh)
            waiting.extend(fresh)
        target = folder / file_of(address)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.replace(target, data)
        except (OSError, LocalFileError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _NO_PLACE:
                raise
            tell(f"left out: {address} (a file and a folder have the same name, or it is too long)")
    return count


def file_of(address: str) -> str:
    """Returns where an address is written to, from the top of the folder. Users' pages become texts: elsewhere they would have no sandbox."""
    plain = urlsplit(address).path
    path = "/".join(_safe(part) for part in unquote(plain).strip("/").split("/"))
    if is_page(plain):
        return f"{path}/index.html" if path else "index.html"
    return path if path.startswith("static/") or path.lower().endswith(_PASSIVE) else f"{path}.txt"


_INDEX = re.compile(r"_*index\.html")
_PASSIVE = (
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".md", ".log", ".parquet", ".npy", ".npz", ".safetensors", ".pt", ".pth", ".bin", ".gguf", ".h5", ".zip", ".gz",
    ".zst", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".wav", ".mp3", ".flac", ".ogg", ".m4a", ".mp4", ".webm", ".pdf", ".joblib", ".pkl", ".py", ".onnx",
)  # fmt: skip
"""What a browser, or a web server, does nothing with but show or save it. All else becomes a text."""

_LONGEST_NAME = 200


def _safe(part: str) -> str:
    """Returns a part of a path that leads nowhere else, is no page's own file, says nothing to a web server, and fits into a folder."""
    if part.startswith("."):
        part = f"_{part[1:]}"
    if part == "_.":
        part = "__"
    if len(part.encode("utf-8", "replace")) > _LONGEST_NAME:
        kept, ending = PurePosixPath(part).stem[:40], PurePosixPath(part).suffix[:12]
        part = f"{kept}-{digest(part.encode('utf-8', 'replace')).hex()[:16]}{ending}"
    return f"_{part}" if _INDEX.fullmatch(part) else part


def is_page(path: str) -> bool:
    """Tells whether a path of the site is a page, and not a file of somebody's, or of the site's."""
    parts = path.strip("/").split("/")
    place = {"artifacts": (4, "raw"), "registry": (3, "raw"), "runs": (3, "files")}.get(parts[0])
    return parts[0] != "static" and not (place is not None and len(parts) > place[0] and parts[place[0]] == place[1])


def _relative(text: str, address: str, found: list[str]) -> str:
    """Returns a page with addresses from where it will lie; those that belong to the site go to `found`."""
    depth = len(PurePosixPath(file_of(address)).parts) - 1
    up = "../" * depth

    def moved(match: re.Match[str]) -> str:
        wanted = match["address"].replace("&amp;", "&")
        parts = urlsplit(wanted)
        if parts.path.startswith(_LEFT_OUT) or (parts.query and not parts.path.startswith("/static/")):
            return f'{match["before"]}#"'
        found.append(parts.path)
        return f'{match["before"]}{up}{file_of(parts.path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")}"'

    # A page's own numbers stand in one element, and are no addresses, whatever a metric is called.
    return "".join(piece if piece.startswith(_NUMBERS) else _ADDRESS.sub(moved, piece) for piece in _INLINE.split(text))
