"""The predictive distributions and where their parameters stand."""

from model.distributions.amounts import LOG_MEAN_RANGE, LOG_SIGMA_RANGE, LOG_SIZE_RANGE
from model.distributions.baselines import Baselines, standardise
from model.distributions.bounds import Bounds
from model.distributions.columns import AnswerColumn, NamedShares, columns_of
from model.distributions.conditioned import conditioned
from model.distributions.consistency import Consistency
from model.distributions.distributions import Distribution, of_task
from model.distributions.evidence import WITHOUT_EVIDENCE
from model.distributions.hazards import BINS, EDGES
from model.distributions.joint_correction import JointCorrection
from model.distributions.layout import Group, Layout, LikelihoodName
from model.distributions.scale import Scale
from model.distributions.serving import (
    BASELINE_SOURCES,
    Serving,
    Source,
    TaskServing,
    baseline_parameters,
)

__all__ = [
    "BASELINE_SOURCES",
    "BINS",
    "EDGES",
    "LOG_MEAN_RANGE",
    "LOG_SIGMA_RANGE",
    "LOG_SIZE_RANGE",
    "WITHOUT_EVIDENCE",
    "AnswerColumn",
    "Baselines",
    "Bounds",
    "Consistency",
    "Distribution",
    "Group",
    "JointCorrection",
    "Layout",
    "LikelihoodName",
    "NamedShares",
    "Scale",
    "Serving",
    "Source",
    "TaskServing",
    "baseline_parameters",
    "columns_of",
    "conditioned",
    "of_task",
    "standardise",
]
