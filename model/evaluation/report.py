"""What is said about a trained model: per task beside its baselines, on held-out time."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from model.distributions import Source
from model.tasks import Task


class _Reported(BaseModel):
    model_config = ConfigDict(frozen=True)


class Score(_Reported):
    """One predictor on one task's test rows."""

    nll: float = Field(description="mean negative log-likelihood in nats")
    skill: float = Field(description="1 - nll / nll of the climatology")
    skill_low: float = Field(description="5% bound of the skill, bootstrap over rows")
    skill_high: float = Field(description="95% bound of the skill, bootstrap over rows")
    metrics: dict[str, float] = Field(
        description="occurs: auroc, average_precision, calibration_error; counts and sums: "
        "mean_absolute_error, auroc of any; periods: top1, top3, circular_error; classes: top1, "
        "top3; times: mean_absolute_error of the median in days where the event came, "
        "concordance, auroc of any; numbers: mean_absolute_error, root_mean_squared_error"
    )


class ReliabilityBin(_Reported):
    """Among the rows of one bin, what was predicted and what happened."""

    share: float
    predicted: float
    observed: float


class ColdReport(_Reported):
    """A task's test on who was known, but had no event within the lookback before the cutoff."""

    rows: int
    observed_mean: float | None = Field(description="as in the report on the other rows")
    nll: dict[Source, float] = Field(
        description="mean negative log-likelihood in nats per source; who never had an event is "
        "answered by the climatology"
    )


class TaskReport(_Reported):
    """A task's quality on held-out time."""

    task: Task
    served: Source = Field(description="what answers: the model, or a baseline that was better")
    test_at: datetime | None = Field(
        description="the cutoff that was tested at; null in a log without times"
    )
    test_rows: int
    observed_mean: float | None = Field(
        description="mean of the test labels: a rate (of times that any came), a mean count, sum "
        "or number; none for periods and classes"
    )
    scores: dict[Source, Score] = Field(description="the model beside its baselines")
    reliability: tuple[ReliabilityBin, ...] = ()
    sharing_gain: float | None = Field(
        default=None,
        description="skill of the model less that of the task's private head, which is linear and "
        "learns from this task alone; below zero sharing hurt",
    )
    note: str | None = Field(default=None, description="what a reader should know")
    cold: ColdReport | None = Field(
        default=None, description="the same test on cold rows, which are in no other number"
    )

    @property
    def served_score(self) -> Score:
        """The score of what answers."""
        return self.scores[self.served]


class JointReport(_Reported):
    """How much the joint head gains over independent tasks, on the test rows of an entity kind."""

    tasks: tuple[str, ...]
    marginals_nll: float = Field(description="mean per row of the tasks' summed NLL, independent")
    joint_nll: float = Field(description="the same by the chain rule in the order of `tasks`")
    reversed_nll: float = Field(description="the same in reverse; how far they agree")


class Trial(_Reported):
    """One trial of the search over settings."""

    settings: dict[str, float] = Field(description="what was changed of the settings asked for")
    losses: tuple[float, ...] = Field(
        description="after each epoch the mean over the tasks of the validation NLL, in units of "
        "the climatology's"
    )
    given_up: bool = Field(description="whether it was worse than the others after as many epochs")

    @property
    def loss(self) -> float:
        """The best one."""
        return min(self.losses)


class Report(_Reported):
    """Everything that is said about a trained model."""

    tasks: dict[str, TaskReport]
    joint: dict[str, JointReport]
    untested: dict[str, str] = Field(
        default_factory=dict, description="tasks without a test, and why"
    )
    left_out: dict[str, str] = Field(
        default_factory=dict,
        description="tasks for one of many values that could not be learned, and why",
    )
    training_rows: dict[str, int]
    epochs: int
    fit_s: float
    self_supervised_tasks: int
    trials: tuple[Trial, ...] = Field(
        default=(),
        description="the settings that were tried, in order; one is without self-supervision, "
        "which says what that is worth",
    )


class Edge(_Reported):
    """Evidence from one task for another."""

    source: str
    target: str
    weight: float = Field(
        description="learned strength; starts as the correlation of what the features leave "
        "unexplained of the two outcomes"
    )
    correlation: float = Field(description="of the two tasks' outcomes on validation rows")
    gain_nats: float = Field(
        description="mean nats by which knowing the source's outcome improves the target's "
        "prediction, on validation rows"
    )
    gain_share: float = Field(
        default=0.0,
        description="the same as a share of the target's nats: 0.3 says that three tenths of what "
        "is uncertain of the target are known once the source's outcome is",
    )


class TaskGraph(_Reported):
    """The learned graph of tasks: nodes in order, edges with the largest gain first."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
