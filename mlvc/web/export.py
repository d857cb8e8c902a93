"""The same pages as files, to publish or to attach: every page that links lead to, with relative addresses and no forms."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mlvc import atomic_file
from mlvc.errors import UsageError
from mlvc.web.application import application
from mlvc.web.asking import Asker
from mlvc.web.site import Site
from mlvc.workspace.workspace import Workspace

_ADDRESS = re.compile(r'(?P<before>\b(?:href|src)=")(?P<address>/[^"]*)"')
_SOURCES = re.compile(r'(?P<before>data-sources=")(?P<addresses>[^"]*)"')
_OPEN = re.compile(r'data-open="[^"]*"')
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
    asker = Asker(application(Site(workspace, is_export=True)))
    waiting = deque(["/", "/registry", "/artifacts", "/runs"])
    seen = set(waiting)
    count = 0
    while waiting:
        address = waiting.popleft()
        answer = asker.ask(address)
        if answer.status != 200:
            tell(f"left out: {address} ({answer.status})")
            continue
        data = answer.data
        is_page = answer.headers["content-type"].startswith("text/html") and "sandbox" not in answer.headers["content-security-policy"]
        if is_page:
            count += 1
            found: list[str] = []
            data = _relative(answer.text, address, found).encode()
            fresh = [one for one in dict.fromkeys(found) if one not in seen and len(seen) < _PAGES]
            seen.update(fresh)
            waiting.extend(fresh)
        elif len(data) > _LARGE:
            continue
        target = folder / file_of(address, is_page=is_page)
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.replace(target, data)
    asker.close()
    return count


def file_of(address: str, *, is_page: bool) -> str:
    """Returns where an address is written to, from the top of the folder."""
    path = "/".join(_safe(part) for part in unquote(urlsplit(address).path).strip("/").split("/"))
    if is_page:
        return f"{path}/index.html" if path else "index.html"
    return f"{path}.json" if path.startswith("api/") else path


def _safe(part: str) -> str:
    return part if part not in (".", "..") else part.replace(".", "_")


def _relative(text: str, address: str, found: list[str]) -> str:
    """Returns a page with addresses from where it will lie; those that belong to the site go to `found`."""
    depth = len(PurePosixPath(file_of(address, is_page=True)).parts) - 1
    up = "../" * depth

    def moved(match: re.Match[str]) -> str:
        wanted = match["address"].replace("&amp;", "&")
        parts = urlsplit(wanted)
        if parts.path.startswith(_LEFT_OUT) or (parts.query and not parts.path.startswith("/static/")):
            return f'{match["before"]}#"'
        found.append(parts.path)
        is_page = not parts.path.startswith(("/static/", "/api/")) and "/raw/" not in parts.path and not re.search(r"/runs/[^/]+/[^/]+/files/", parts.path)
        return f'{match["before"]}{up}{file_of(parts.path, is_page=is_page).replace("%", "%25").replace("?", "%3F").replace("#", "%23")}"'

    def moved_sources(match: re.Match[str]) -> str:
        sources = match["addresses"].split()
        found.extend(sources)
        return f'{match["before"]}{" ".join(up + file_of(one, is_page=False) for one in sources)}"'

    return _OPEN.sub('data-open="#"', _SOURCES.sub(moved_sources, _ADDRESS.sub(moved, text)))
