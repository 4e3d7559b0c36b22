"""pandas, imported when something of it is asked for the first time.

It takes a fifth of a second and twenty megabytes, for nothing that a prediction needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    found = globals()[name] = getattr(import_module("pandas"), name)
    return found
