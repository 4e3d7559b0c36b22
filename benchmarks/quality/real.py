"""The contest on the real log: who predicts held-out time best."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality.baselines import best_informed_baseline
from benchmarks.quality.boosted import boosted
from benchmarks.quality.contest import Ground, Nats, folds_of
from benchmarks.quality.networks import sharing, single_task, ssmtl
from benchmarks.quality.scores import calibration_errors_of, skills_of
from benchmarks.quality.sharing import Extraction, MultiGate, SharedBottom
from benchmarks.quality.shops import online_retail, tasks
from model.config import Config

Compete = Callable[[Ground, int], Mapping[str, Nats]]
"""Says what was predicted, under one or several names."""
Skills = dict[str, dict[str, np.ndarray]]
"""Per competitor and task the skill of each seed."""


def _alone(name: str, predict: Callable[[Ground, int], Nats]) -> Compete:
    return lambda ground, seed: {name: predict(ground, seed)}


COMPETITORS: Mapping[str, Compete] = {
    "ssmtl": ssmtl,
    **{
        name: _alone(name, predict)
        for name, predict in {
            "baseline": best_informed_baseline,
            "lightgbm": boosted,
            "single_task": single_task,
            "shared_bottom": sharing(SharedBottom),
            "mmoe": sharing(MultiGate),
            "ple": sharing(Extraction),
        }.items()
    },
}
ONCE = frozenset({"lightgbm", "single_task", "baseline"})
"""Run with one seed, which stands for all: of many models each, whose mean seeds hardly move."""
RIVALS = ("lightgbm", "single_task", "shared_bottom", "mmoe", "ple", "baseline")
_TOLERANCE = 0.005


def measure(data: Path, seeds: int, console: Console) -> dict[str, float]:
    """Hold the contest, print the table, return the figures."""
    log, config = online_retail(data), Config()
    skills: Skills = {}
    seconds = dict.fromkeys(COMPETITORS, 0.0)
    errors: Skills = {}
    for fold in folds_of(log, tasks(), config):
        ground = Ground.of(log, fold, config, seed=0)
        for name, compete in COMPETITORS.items():
            answers = []
            runs = 1 if name in ONCE else seeds
            for seed in range(runs):
                started = time.process_time()
                answers.append(compete(ground, seed))
                seconds[name] += (time.process_time() - started) / runs
            for row in answers[0]:
                nats = [run[row] for run in answers]
                by_seed = [skills_of(ground, run) for run in nats]
                skills.setdefault(row, {}).update(_by_task(by_seed * (seeds // runs)))
                if row == "ssmtl":
                    errors |= _by_task([calibration_errors_of(ground, run) for run in nats])
                means = [round(float(np.mean(list(run.values()))), 4) for run in by_seed]
                console.print(
                    f"{row}: mean skill by seed {means}, {seconds[name]:.0f} CPU s a seed"
                )
    _print(skills, seconds, console)
    _print_hurt(skills, console)
    return {
        **_figures(skills, console),
        "ece_mean": float(np.mean([runs.mean() for runs in errors.values()])),
        "train_time_over_lightgbm_16_tasks": seconds["ssmtl"] / seconds["lightgbm"],
    }


def _by_task(runs: list[dict[str, float]]) -> dict[str, np.ndarray]:
    return {task: np.array([run[task] for run in runs]) for task in runs[0]}


def _print_hurt(skills: Skills, console: Console) -> None:
    """Where the same network does better when it learns a task alone."""
    for task, alone in skills["single_task"].items():
        hurt = alone.mean() - skills["without_trees"][task].mean()
        if hurt > _TOLERANCE:
            console.print(f"sharing hurt {task}: skill {-hurt:+.4f} beside learning it alone")


def _figures(skills: Skills, console: Console) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, prefix in (("ssmtl", "mean_skill"), ("without_trees", "mean_skill_without_trees")):
        for rival in RIVALS:
            less = [skills[name][task] - skills[rival][task] for task in skills[name]]
            by_seed = np.mean(less, axis=0)
            figures[f"{prefix}_minus_{rival}"] = float(by_seed.mean())
            spread = by_seed.std(ddof=1) if len(by_seed) > 1 else float("nan")
            told = f"mean skill of {name} less {rival}'s: {by_seed.mean():+.4f}"
            console.print(f"{told}, seed spread {spread:.4f}")
    ours = skills["ssmtl"]
    figures["share_of_tasks_at_least_lightgbm"] = float(
        np.mean([ours[t].mean() >= skills["lightgbm"][t].mean() - _TOLERANCE for t in ours])
    )
    return figures


def _print(skills: Skills, seconds: Mapping[str, float], console: Console) -> None:
    table = Table(title="Skill on held-out time of Online Retail II, mean over the seeds")
    table.add_column("task")
    for name in skills:
        table.add_column(name, justify="right")
    for task in skills["ssmtl"]:
        table.add_row(task, *(f"{skills[name][task].mean():.3f}" for name in skills))
    means = [np.mean([runs.mean() for runs in of.values()]) for of in skills.values()]
    table.add_row("mean", *(f"{mean:.4f}" for mean in means))
    spent = [f"{seconds[name]:.0f}" if name in seconds else "" for name in skills]
    table.add_row("CPU s a seed", *spent)
    console.print(table)
