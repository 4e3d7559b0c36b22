"""One question each; every scenario gives figures by name."""

from __future__ import annotations

Figures = dict[str, float]
