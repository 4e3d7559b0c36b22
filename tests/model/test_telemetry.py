from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# ONNX Runtime falls silent by itself where it finds one of these.
SILENCERS = ("ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS", "TF_BUILD")


def files_at_home_after(statement: str, home: Path) -> list[str]:
    """What a process leaves in its home folder: ONNX Runtime's reports wait there to be sent."""
    kept = {name: value for name, value in os.environ.items() if name not in SILENCERS}
    subprocess.run(
        [sys.executable, "-c", statement],
        cwd=ROOT,
        env={**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home)},
        check=True,
        timeout=60,
    )
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_predicting_reports_to_nobody(tmp_path: Path) -> None:
    assert files_at_home_after("import model.prediction", tmp_path) == []
