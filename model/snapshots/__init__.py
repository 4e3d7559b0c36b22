"""Snapshots: features and labels of many entities at cutoffs, and the folds in time."""

from model.snapshots.cold import take_cold_snapshot
from model.snapshots.cutoffs import final_part, folds, watermark_us
from model.snapshots.declarations import declared_features
from model.snapshots.features import SnapshotPlan
from model.snapshots.fold_parts import Fold, FoldPart
from model.snapshots.forecasts import Forecast
from model.snapshots.formulas import Feature
from model.snapshots.inputs import Inputs
from model.snapshots.label_table import LabelTable, Piece
from model.snapshots.labels import Label, PeriodLabels, has_label
from model.snapshots.least_amounts import least_amounts
from model.snapshots.online import OnlineReader
from model.snapshots.outlook import Outlook, OutlookColumns, came_true, learn_outlooks
from model.snapshots.personal_frequency import PersonalFrequency, has_personal_frequency
from model.snapshots.read_rows import ReadRows, Rows
from model.snapshots.reader import SnapshotReader
from model.snapshots.seasonal_naive import SeasonalNaive, shop_shares
from model.snapshots.seasons import Season
from model.snapshots.sequences import Sequences
from model.snapshots.snapshot import Snapshot, take_snapshot
from model.snapshots.timeless import plan_of, reader_of

__all__ = [
    "Feature",
    "Fold",
    "FoldPart",
    "Forecast",
    "Inputs",
    "Label",
    "LabelTable",
    "OnlineReader",
    "Outlook",
    "OutlookColumns",
    "PeriodLabels",
    "PersonalFrequency",
    "Piece",
    "ReadRows",
    "Rows",
    "Season",
    "SeasonalNaive",
    "Sequences",
    "Snapshot",
    "SnapshotPlan",
    "SnapshotReader",
    "came_true",
    "declared_features",
    "final_part",
    "folds",
    "has_label",
    "has_personal_frequency",
    "learn_outlooks",
    "least_amounts",
    "plan_of",
    "reader_of",
    "shop_shares",
    "take_cold_snapshot",
    "take_snapshot",
    "watermark_us",
]
