"""Arrow's functions over arrays, imported when one of them is called for the first time.

A prediction needs none of them, and they take a fortieth of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    found = globals()[name] = getattr(import_module("pyarrow.compute"), name)
    return found
