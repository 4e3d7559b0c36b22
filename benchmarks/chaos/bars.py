"""What the figures must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.chaos.scenarios import Figures


@dataclass(frozen=True)
class Bar:
    """A figure is at least and at most so much."""

    least: float
    most: float

    def holds(self, value: float) -> bool:
        """Whether this value is good enough."""
        return self.least <= value <= self.most

    def __str__(self) -> str:
        """As it stands in the table."""
        return f"{self.least:g}" if self.least == self.most else f"<= {self.most:g}"


def bars(*, jobs: int, kills: int, submissions: int) -> dict[str, Bar]:
    """By the figure's name; other figures only tell."""
    exact = {
        "kills": kills,
        "succeeded": jobs,
        "results": jobs,
        "duplicated_results": 0,
        "different_models": 1,
        "checkpoints_left": 0,
        "scratch_folders_left": 0,
        "effects_after_takeover": 0,
        "submitted_jobs": submissions,
        "submitted_jobs_run_once": submissions,
        "full_disk_checkpoints_damaged": 0,
        "full_disk_resumed": 1,
        "full_disk_without_any_succeeded": 1,
        "serve_killed_succeeded": 1,
        "serve_killed_resumed": 1,
        "serve_killed_results": 1,
        "postgres_restart_lost": 0,
        "postgres_restart_duplicated": 0,
        "orphan_processes": 0,
    }
    limits = {
        "takeover_s_max": 6.5,
        "repeated_intervals_max": 1,
        "cancel_s_max": 2,
        "cancel_ignored_over_grace_s": 1,
        "livez_p99_ratio": 3,
    }
    return {name: Bar(value, value) for name, value in exact.items()} | {
        name: Bar(0, most) for name, most in limits.items()
    }


def missed(figures: Figures, wanted: Mapping[str, Bar]) -> list[str]:
    """Names of the figures that are not good enough."""
    return [
        name for name, value in figures.items() if name in wanted and not wanted[name].holds(value)
    ]
