"""Grows the boosted heads of an entity kind, with LightGBM (Ke et al., 2017).

A head is grown per question, see `model.training.questions`: a user's orders and spend share one
for whether there are any. Trees begin at the forecast and the outlook of a row, as the network
does, so that they learn what is beyond these. The rounds are found on validation rows.

    R = rows, F = features, O = columns of the layout
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray

from model.network import SomeTasks, SSMTLNetwork
from model.network.boosted_heads import BoostedHeads, Head, Tree, features_of
from model.tasks import EntityKind
from model.training.examples import Examples
from model.training.preparation import declared_tasks
from model.training.questions import Floats, Question, distinct_questions, every_question

Rounds = dict[str, int]
"""Per question, how many rounds were best on validation rows."""

MAX_TASKS = 64
"""Of an entity kind with more declared tasks no trees are grown: they would take most of the time,
and there it is the shared state that knows more."""
MAX_ROWS = 100_000
MAX_ROUNDS = 400
PATIENCE = 25
MIN_ROUNDS = 10
"""Trees that stop helping before are dropped: there is nothing for them to know."""
MIN_ROWS = 100
"""Of a question, to grow trees for it."""
_SETTINGS: Mapping[str, Any] = {
    "learning_rate": 0.15,
    "num_leaves": 8,
    "max_bin": 63,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "boost_from_average": False,
    "use_missing": False,
    "num_threads": 1,  # its threads wait for each other at each node: a busy core makes all slow
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_LEAF_SHARE, _LEAST_LEAF, _MOST_LEAF = 1 / 100, 10, 100
"""Rows of a leaf: a share of all, within bounds."""
_SMALLEST = 1e-6


def boost(
    network: SSMTLNetwork,
    training: Mapping[EntityKind, Examples],
    validation: Mapping[EntityKind, Examples],
    seed: int,
    rounds: Mapping[EntityKind, Rounds] | None = None,
    check: Callable[[], None] = lambda: None,
) -> dict[EntityKind, Rounds]:
    """Give all entity kinds of a trained network their boosted heads, see `grow`."""
    found: dict[EntityKind, Rounds] = {}
    for entity, examples in training.items():
        heads, found[entity] = grow(
            examples, validation.get(entity), seed, (rounds or {}).get(entity), check
        )
        network.kind(entity).add_trees(heads)
    return found


def grow(
    training: Examples,
    validation: Examples | None,
    seed: int,
    rounds: Rounds | None = None,
    check: Callable[[], None] = lambda: None,
) -> tuple[BoostedHeads | None, Rounds]:
    """The boosted heads of an entity kind, and after how many rounds each was best.

    Args:
        training: the rows to learn from.
        validation: say when to stop; without them `rounds` does.
        seed: of the rows and features that a tree sees.
        rounds: found earlier; questions without are not asked.
        check: called between questions; may raise.
    """
    layout = training.layout
    declared = [layout.position(task.name) for task in declared_tasks(layout)]
    known = rounds or {}
    if len(declared) > MAX_TASKS or (validation is None and not known):
        return None, {}
    some = SomeTasks.at(layout, declared)
    rows = _sampled(len(training), np.random.default_rng(seed))
    training = training.take(rows).of_tasks(some)
    held_out = {}
    if validation is not None:
        held_out = {asked.name: asked for asked in every_question(validation.of_tasks(some))}
    data = _Data.of(training, validation, seed)
    heads: list[Head] = []
    found: Rounds = {}
    for question in distinct_questions(training):
        check()
        grown = data.grown(question, held_out.get(question.name), known.get(question.name))
        if grown is None:
            continue
        found[question.name], start, trees = grown
        columns = tuple(some.columns[list(question.columns)].tolist())
        heads.append(Head(columns, start, trees))
    return (BoostedHeads(heads, layout.columns) if heads else None), found


@dataclass(frozen=True)
class _Data:
    """The features of the rows, put into bins once for all questions."""

    training: lightgbm.Dataset
    validation: lightgbm.Dataset | None
    weights: Floats
    validation_weights: Floats
    settings: dict[str, Any]

    @classmethod
    def of(cls, training: Examples, validation: Examples | None, seed: int) -> _Data:
        leaf = int(np.clip(len(training) * _LEAF_SHARE, _LEAST_LEAF, _MOST_LEAF))
        settings = {
            **_SETTINGS,
            "min_data_in_leaf": leaf,
            "seed": seed,
        }
        binned = _binned(training, settings)
        return cls(
            binned,
            None if validation is None else _binned(validation, settings, binned),
            training.weights.double().numpy(),
            np.zeros(0) if validation is None else validation.weights.double().numpy(),
            settings,
        )

    def grown(
        self, question: Question, held_out: Question | None, rounds: int | None
    ) -> tuple[int, float, tuple[Tree, ...]] | None:
        """Rounds, start and trees; None where there is nothing to know."""
        weights = self.weights[question.rows]
        start = _start(question, weights)
        if start is None or len(question.rows) < MIN_ROWS:
            return None
        train = _labelled(self.training, question, start, weights)
        settings = {**self.settings, "objective": question.objective}
        if self.validation is not None:
            if held_out is None:
                return None
            weights = self.validation_weights[held_out.rows]
            valid = _labelled(self.validation, held_out, start, weights)
            stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
            model = lightgbm.train(settings, train, MAX_ROUNDS, [valid], callbacks=[stopping])
            rounds = model.best_iteration
        elif rounds is not None:
            model = lightgbm.train(settings, train, rounds)
        if rounds is None or rounds < MIN_ROUNDS:
            return None
        return rounds, start, _trees(model, rounds)


def _binned(
    examples: Examples, settings: dict[str, Any], like: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    """Without labels: each question brings its own."""
    none = np.zeros(len(examples))
    features = _features(examples)
    return lightgbm.Dataset(features, none, like, params=settings).construct()


def _labelled(
    data: lightgbm.Dataset, question: Question, start: float, weights: Floats
) -> lightgbm.Dataset:
    part = data.subset(question.rows.tolist()).construct()
    part.set_label(question.answers)
    part.set_weight(weights)
    part.set_init_score(question.offsets + start)
    return part


def _features(examples: Examples) -> NDArray[np.float32]:
    inputs = examples.inputs
    features = features_of(torch.from_numpy(inputs.numbers), torch.from_numpy(inputs.categories))
    found: NDArray[np.float32] = features.numpy()
    return found


def _sampled(rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(rng.choice(rows, MAX_ROWS, replace=False))


def _start(question: Question, weights: Floats) -> float | None:
    """The parameter that the mean answer stands for; None where all answers are one."""
    if not len(question.rows) or np.ptp(question.answers) == 0:
        return None
    mean = float(np.average(question.answers, weights=weights))
    match question.objective:
        case "binary":
            return float(np.log(mean / (1 - mean)))
        case "poisson":
            return float(np.log(max(mean, _SMALLEST)))
    return mean


def _trees(model: lightgbm.Booster, rounds: int) -> tuple[Tree, ...]:
    told = model.dump_model(num_iteration=rounds)["tree_info"]
    return tuple(_tree(tree["tree_structure"]) for tree in told)


def _tree(structure: Mapping[str, Any]) -> Tree:
    """The nodes of one tree in the order that they are met in, the root first."""
    nodes: list[tuple[int, float, int, int, float]] = []

    def add(node: Mapping[str, Any]) -> int:
        place = len(nodes)
        if "split_feature" not in node:
            nodes.append((0, 0.0, place, place, node["leaf_value"]))
            return place
        nodes.append((0, 0.0, 0, 0, 0.0))
        low, high = add(node["left_child"]), add(node["right_child"])
        nodes[place] = (node["split_feature"], _not_above(node["threshold"]), low, high, 0.0)
        return place

    add(structure)
    feature, threshold, low, high, value = zip(*nodes, strict=True)
    return Tree(
        feature=np.array(feature, dtype=np.int64),
        threshold=np.array(threshold, dtype=np.float32),
        low=np.array(low, dtype=np.int64),
        high=np.array(high, dtype=np.int64),
        value=np.array(value, dtype=np.float32),
    )


def _not_above(threshold: float) -> float:
    """The next number of 32 bits: the same features lie below it."""
    rounded = np.float32(threshold)
    return float(np.nextafter(rounded, np.float32(-np.inf)) if rounded > threshold else rounded)
