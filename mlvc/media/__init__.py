"""Tables, images, sound and figures: values that become files, and come back from them.

`values` says what they share, `content` holds their bytes, `kinds` knows them by name. They know of no artifact and no run:
whoever keeps one hands it a `Keep`, whoever reads one back an opened file.

`mlvc.media.Table` and the other classes load when they are first used.
"""

from __future__ import annotations

from typing import Any

from mlvc.media import kinds


def __getattr__(name: str) -> Any:
    if name in kinds.HOMES:
        return kinds.load(name)
    raise AttributeError(f"module 'mlvc.media' has no attribute '{name}'")
