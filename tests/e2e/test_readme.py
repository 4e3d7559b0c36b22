"""Every command of the README's walk-through is run, in order, against a running service."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"
MARK = "----- next block -----"


def blocks() -> list[str]:
    return re.findall(r"<!-- run -->\n```bash\n(.*?)```", README.read_text(), flags=re.DOTALL)


def objects(output: str) -> list[Any]:
    """The JSON objects that curl printed one behind the other."""
    decoder, found, rest = json.JSONDecoder(), [], output.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


@pytest.fixture(scope="module")
def outputs(address: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block printed; any failing command ends the script."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed, so the README's commands cannot be run as they stand")
    script = "set -euo pipefail\n" + f"\necho '{MARK}'\n".join(blocks())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path_factory.mktemp("walk"),
        env={**os.environ, "PATH": path, "SSMTL": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.split(MARK)


@pytest.mark.slow
def test_the_walk_through_works_from_upload_to_prediction(outputs: list[str]) -> None:
    shop, made, imported, declared, trained, kept_fresh, model, *answered = outputs[:-1]
    predicted, _given, _scored, posted, _watched, refused = answered
    assert shop.startswith("user,item,time,event_type")
    assert objects(made)[0]["name"] == "my-shop"
    *reports, profile = objects(imported)
    assert all(report["rows_accepted"] == report["rows_read"] > 0 for report in reports)
    assert profile["rows"]["events"] == reports[0]["rows_accepted"]
    assert objects(declared)[0]["items"]
    events, _, job = trained.rpartition("\n\n")
    assert "event: progress" in events
    assert json.loads(job)["state"] == "succeeded"
    log, _, schedules = kept_fresh.strip().partition("\n{")
    assert " INFO " in log
    *_, listed = objects("{" + schedules)
    assert [one["name"] for one in listed["items"]] == ["every-monday", "when-it-grows"]
    assert listed["items"][1]["new_events"] == 0
    version, graph = objects(model)
    assert set(version["report"]["tasks"]) == {"buys_30d", "spend_30d", "best_weekday"}
    assert {"buys_30d", "spend_30d"} <= {edge["source"] for edge in graph["edges"]}
    one, ranking, several = objects(predicted)
    assert 0 <= one["probability"] <= 1
    points = [item["point"] for item in ranking["items"]]
    assert len(points) == 10
    assert points == sorted(points, reverse=True)
    assert len(several["predictions"]) == 5
    report, now, then = objects(posted)
    assert report["rows_accepted"] == 1
    assert then["cutoff_at"] < one["cutoff_at"] < now["cutoff_at"] == "2023-10-29T12:00:00Z"
    assert now["probability"] != one["probability"]
    assert objects(refused)[0]["status"] == 404
    assert "nobody" in objects(refused)[0]["detail"]


@pytest.mark.slow
def test_everybody_is_scored_downloaded_and_compared(outputs: list[str]) -> None:
    (scored,) = [
        output for output in outputs if "user,item,model_version" in output.replace('"', "")
    ]
    events, _, rest = scored.partition('"task"')
    assert "event: progress" in events
    header, first, second, sets = rest.split("\n", 3)
    assert "cold_start" in header
    assert first.startswith('"buys_30d"')
    assert second.startswith('"buys_30d"')
    newest, published = json.loads(sets)["items"]
    assert (newest["model_version"], newest["ranked"], published["ranked"]) == (1, True, True)
    (compared,) = [output for output in outputs if "known_until" in output]
    live, alias, shadow = objects(compared)
    assert live["tasks"]["buys_30d"]["promised"]["skill"]
    assert live["tasks"]["buys_30d"]["pending"]
    assert live["drift"]["user"]["rows"] > 0
    assert (alias["alias"], shadow["tasks"]) == ("shadow", {})


@pytest.mark.slow
def test_a_table_without_times_is_imported_and_asked_about(outputs: list[str]) -> None:
    made, report, task = objects(outputs[-1])
    assert made["has_time"] is None
    assert (report["rows_read"], report["rows_accepted"]) == (5, 5)
    assert any("no times" in note for note in report["notes"])
    assert task["target"]["column"] == "用户与商品的交互信息"


@pytest.mark.slow
def test_the_model_alone_works_as_the_readme_shows(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.splitlines()[0]) > 0
    assert (tmp_path / "my-model" / "manifest.json").exists()


def test_the_readme_names_every_room() -> None:
    root = README.parent
    text = README.read_text()
    rooms = [f"{path.parent.name}/{path.name}/" for path in root.glob("app/*") if path.is_dir()]
    rooms += [f"model/{path.name}/" for path in root.glob("model/*") if path.is_dir()]
    missing = [room for room in rooms if f"`{room}`" not in text and "__pycache__" not in room]
    assert missing == []
