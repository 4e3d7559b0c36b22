"""What more tasks cost: a training step, and the memory and time of a fit of ten thousand.

A simulated shop whose items stand on shelves; the tasks ask for each shelf, by `for_each`. Steps
are timed on the rows of the same shop with 16 and with 1,024 declared tasks. The fit goes from the
log to the artifact with the default settings: snapshots, baselines, training, calibration, choice,
test and report of a fold, and the served network. Each run is a process of its own.

    python -m benchmarks.task_scaling [--fit-tasks N] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from benchmarks.measuring import Cost, in_fresh_process, machine

FEW, MANY = 16, 1024
USERS = 3000
_GIB = 2**30


def main() -> None:
    """Print what was measured and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.task_scaling", description=__doc__)
    parser.add_argument("--fit-tasks", type=int, default=10_000, help="of the whole fit; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    console = Console()
    few, many = (_run("steps", tasks, USERS, given.threads) for tasks in (FEW, MANY))
    for cost in (few, many):
        step_ms = 1000 * cost.answer["step_s"]
        console.print(f"{cost.answer['tasks']:,} tasks: {step_ms:.1f} ms a step")
    figures = {"step_time_1024_over_16": many.answer["step_s"] / few.answer["step_s"]}
    rows = [few.answer, many.answer]
    if given.fit_tasks:
        fit = _run("fit", given.fit_tasks, USERS, given.threads)
        rows.append(fit.answer)
        figures |= {
            f"peak_memory_{given.fit_tasks}_tasks_gib": fit.peak_bytes / _GIB,
            f"fit_{given.fit_tasks}_tasks_wall_s": fit.wall_s,
            f"fit_{given.fit_tasks}_tasks_learned": fit.answer["tasks"],
        }
        console.print(
            f"a fit of {fit.answer['tasks']:,} tasks on {fit.answer['rows']:,} rows, "
            f"{fit.answer['left_out']:,} left out, mean skill {fit.answer['mean_skill']:.4f}"
        )
        for stage, seconds in fit.answer["stages"].items():
            console.print(f"  {stage}: {seconds:.0f} s")
    for name, value in figures.items():
        console.print(f"{name} = {value:.4g}")
    if given.json is not None:
        told = machine("torch", "numpy")
        given.json.write_text(json.dumps({"figures": figures, "rows": rows, "machine": told}))


def _run(work: str, tasks: int, users: int, threads: int) -> Cost:
    arguments = (work, "--tasks", str(tasks), "--users", str(users))
    return in_fresh_process("benchmarks.task_scaling_work", *arguments, threads=threads)


if __name__ == "__main__":
    main()
