"""Labels and names for runs that were given none."""

from __future__ import annotations

import os
from collections.abc import Sequence

_LABEL_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

_ADJECTIVES = (
    "amber autumn bold brave breezy bright brisk calm clear clever cosmic crisp daring deep dewy eager early earthy "
    "easy elated fair fancy fast fine floral fresh gentle giddy glad golden good grand happy hearty helpful honest "
    "icy jolly keen kind lemon light likely lively logical loyal lucky magic major merry mild misty morning neat noble "
    "northern olive proud pure quick quiet rare resilient rich robust rosy royal ruby sandy scarlet serene sharp "
    "silver silvery smart smooth snowy soft solar sparkling spring stellar still sunny super swift treasured true "
    "twilight upbeat valiant vibrant vivid warm wild wise woven young"
).split()
_NOUNS = (
    "aardvark bay bird blaze bloom breeze brook bush butterfly canyon cherry cloud coast comet cosmos creek dawn deluge "
    "dew dove dragon dream dust eagle eon etchings feather fern field fire firefly flower fog forest frog frost galaxy "
    "glade glitter grass harbor haze hill island jazz lake leaf leaves meadow mist monkey moon morning mountain music "
    "night oasis ocean paper pebble pine planet plant plasma pond pyramid rain resonance river rook salad sea shadow "
    "shape silence smoke snow snowflake sound spaceship star sun sunset surf terrain thunder tree valley violet vortex "
    "voice water waterfall wave wildflower wind wood yogurt"
).split()


def _any(choices: Sequence[str]) -> str:
    """Returns one of them by chance; `secrets` would load OpenSSL for it."""
    return choices[int.from_bytes(os.urandom(8), "big") % len(choices)]


def new_run_label() -> str:
    """Returns eight random characters, as W&B's run ids are."""
    return "".join(_any(_LABEL_ALPHABET) for _ in range(8))


def new_run_name(number: int) -> str:
    """Returns a name like `brisk-harbor-7`."""
    return f"{_any(_ADJECTIVES)}-{_any(_NOUNS)}-{number}"
