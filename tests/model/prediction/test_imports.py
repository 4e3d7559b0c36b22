from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from model.simulation import SimulatedShop

PREDICT = """
import sys
import pandas as pd
from pathlib import Path
import model
from model.events import EventLog
from model.prediction import Predictor

folder, events = map(Path, sys.argv[1:])
predictor = Predictor.load(folder)
log = EventLog.from_frames(pd.read_parquet(events))
for names in (["buys_30d", "spend_30d"], ["best_weekday"]):
    for predictions in predictor.predict(log, names).values():
        predictions.answers()
predictor.predict_pairs(log, ["views_14d"], predictor.candidate_pairs(log)[:5])
loaded = [name for name in ("torch", "onnx", "sklearn", "app") if name in sys.modules]
assert not loaded, loaded
"""


@pytest.fixture
def events(small_shop: SimulatedShop, tmp_path: Path) -> Path:
    path = tmp_path / "events.parquet"
    frame: pd.DataFrame = small_shop.events
    frame.to_parquet(path)
    return path


def test_predicting_imports_no_torch(folder: Path, events: Path) -> None:
    subprocess.run([sys.executable, "-c", PREDICT, str(folder), str(events)], check=True)
