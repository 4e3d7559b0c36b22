from __future__ import annotations

import pytest

from benchmarks.chaos.bars import bars, missed

GOOD = {"succeeded": 24, "orphan_processes": 0, "takeover_s_max": 6.5, "at_work_again_s_max": 99}


@pytest.mark.parametrize(
    ("changed", "short"),
    [
        ({}, []),
        ({"succeeded": 23}, ["succeeded"]),
        ({"takeover_s_max": 6.51, "orphan_processes": 1}, ["orphan_processes", "takeover_s_max"]),
        ({"at_work_again_s_max": 999}, []),
    ],
)
def test_figures_that_miss_their_bar_are_named(changed: dict[str, float], short: list[str]) -> None:
    wanted = bars(jobs=24, kills=10, submissions=200)
    assert sorted(missed(GOOD | changed, wanted)) == short


def test_bars_are_written_as_they_are_meant() -> None:
    wanted = bars(jobs=24, kills=10, submissions=200)
    assert (str(wanted["results"]), str(wanted["takeover_s_max"])) == ("24", "<= 6.5")
