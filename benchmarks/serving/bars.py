"""What the figures are to reach."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Bar(NamedTuple):
    """At least, or at most, so much."""

    sign: Literal[">=", "<="]
    value: float


BARS = {
    "single_over_noop_c1": Bar(">=", 0.4),
    "single_over_noop_c16": Bar(">=", 0.6),
    "single_over_noop_c64": Bar(">=", 0.65),
    "single_p99_over_noop_p99_c16": Bar("<=", 2),
    "single_p99_under_batch_over_idle": Bar("<=", 3),
    "single_over_litserve_c16": Bar(">=", 3),
    "single_over_bentoml_c16": Bar(">=", 4),
    "single_over_mlflow_c16": Bar(">=", 5),
    "batch_over_forward": Bar(">=", 0.8),
    "batch_json_over_forward": Bar(">=", 0.7),
    "bulk_over_forward": Bar(">=", 0.7),
    "forward_over_eager_b1": Bar(">=", 2),
    "max_abs_error": Bar("<=", 1e-4),
    "fresh_event_visible_ms": Bar("<=", 100),
    "memory_mib": Bar("<=", 250),
    "start_to_ready_s": Bar("<=", 2),
    "lost_requests_in_swap": Bar("<=", 0),
}


def is_met(bar: Bar, value: float) -> bool:
    """Whether a figure reaches its bar."""
    return value >= bar.value if bar.sign == ">=" else value <= bar.value
