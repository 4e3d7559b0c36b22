"""Trains the benchmark's model on a dataset of the service, and publishes it twice.

No answers are stored: all are computed when they are asked for.

    python -m benchmarks.serving.training DATA_DIR --shop JSON --cost OUT
"""

from __future__ import annotations

import argparse
from pathlib import Path
from shutil import copytree

from sqlalchemy.orm import Session

from app.db.engine import make_engine, make_session_factory, transaction
from app.db.tables import Dataset
from app.domain.datasets import get_dataset
from app.domain.model_versions import publish
from app.ingest.index_folder import open_event_log
from app.ingest.manifest import parts_of
from app.settings import Settings
from benchmarks.measuring import measured, write_cost
from benchmarks.serving.shop import DATASET, Shop
from model import SSMTL

VERSIONS = 2


def main() -> None:
    """Train and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.training")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--shop", type=Shop.from_json, required=True)
    parser.add_argument("--cost", type=Path, required=True, help="where to write the cost")
    given = parser.parse_args()
    write_cost(measured(lambda: train(given.data_dir, given.shop)), given.cost)


def train(data_dir: Path, shop: Shop) -> None:
    """All of it, on SQLite."""
    settings = Settings(_env_file=None, data_dir=data_dir)
    sessions = make_session_factory(make_engine(settings.resolved_database_url))
    with transaction(sessions, write=False) as session:
        dataset = get_dataset(session, DATASET)
        parts = parts_of(session, dataset.id, data_dir)
    log = open_event_log(parts, DATASET, "UTC", settings.index_memory_mb)
    estimator = SSMTL(shop.tasks, shop.config).fit(log)
    first = data_dir / "models" / "benchmark-1"
    estimator.save(first)
    for number in range(2, VERSIONS + 1):
        copytree(first, first.with_name(f"benchmark-{number}"))
    with transaction(sessions) as session:
        for number in range(1, VERSIONS + 1):
            _publish(session, get_dataset(session, DATASET), estimator, f"benchmark-{number}")


def _publish(session: Session, dataset: Dataset, estimator: SSMTL, name: str) -> None:
    publish(
        session,
        dataset_id=dataset.id,
        job_id=None,
        artifact_path=f"models/{name}",
        dataset_revision=dataset.revision,
        estimator_report=estimator.report_.model_dump(mode="json"),
        task_graph=estimator.task_graph_.model_dump(mode="json"),
        tasks=[task.model_dump(mode="json") for task in estimator.tasks_],
        cutoff_at=estimator.cutoff_at_,
    )


if __name__ == "__main__":
    main()
