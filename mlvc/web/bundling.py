"""Makes one plain script of a module and those it imports: pages that are opened from a disk may load no modules."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=class |function |const )", re.MULTILINE)


def bundle(name: str) -> str:
    """Returns the script of a module of `static`, by its name without ending; what it imports comes first, each once."""
    return "(() => {\n" + "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in _with_imports(f"{name}.js", {}).values()) + "})();\n"


def _with_imports(file: str, found: dict[str, str]) -> dict[str, str]:
    if file not in found:
        text = (_FOLDER / file).read_text(encoding="utf-8")
        for imported in _IMPORT.findall(text):
            _with_imports(imported, found)
        found[file] = text
    return found
