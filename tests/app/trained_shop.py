"""A small shop with a real model, trained once; and a service that serves it.

`conftest.py` makes the fixtures known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, PredictionSet
from app.domain.datasets import get_dataset
from app.domain.model_versions import publish
from app.main import create_app
from app.settings import Settings
from app.worker.answer_spool import AnswerSpool
from app.worker.answering import Answering, Scope
from app.worker.set_writing import SetWriter, score_into
from model import SSMTL, Config, Count, Occurs, PeakPeriod, Sum, Task
from model.events import EventLog
from model.prediction import Predictor
from model.simulation import simulate_shop
from model.tasks import Column, Next, TimeTo
from tests.app.databases import migrated_database

NAME = "shop"
STRANGER = "stranger/1"
"""A user of the table who has no event; a slash in an id is no reason to fail."""
NEWCOMER = "newcomer"
"""A user whose first event comes after the training."""
TASKS = (
    Task(name="buys_14d", entity="user", target=Occurs(event_type="purchase"), horizon_days=14),
    Task(name="orders_14d", entity="user", target=Count(event_type="purchase"), horizon_days=14),
    Task(name="spend_14d", entity="user", target=Sum(event_type="purchase"), horizon_days=14),
    Task(name="sold_14d", entity="item", target=Count(event_type="purchase"), horizon_days=14),
    Task(
        name="best_weekday",
        entity="item",
        target=PeakPeriod(event_type="purchase", period="weekday"),
        horizon_days=7,
    ),
    Task(name="until_14d", entity="user", target=TimeTo(event_type="purchase"), horizon_days=14),
    Task(name="next_14d", entity="user", target=Next(of="item.category"), horizon_days=14),
    Task(name="device_14d", entity="user", target=Column(column="device"), horizon_days=14),
    Task(name="stars_14d", entity="item", target=Column(column="stars"), horizon_days=14),
    Task(name="meets_14d", entity="pair", target=Occurs(event_type="view"), horizon_days=14),
)
_SMALL = Config(
    max_epochs=1, max_steps_per_epoch=2, max_cutoffs=4, max_rows=1000, width=8, bootstrap=2
)


@dataclass(frozen=True)
class TrainedShop:
    """A log, its tables, and the files of a model that has learned from them."""

    events: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    artifact: Path
    log: EventLog
    predictor: Predictor

    def answering(self, *names: str) -> Answering:
        """The questions of these tasks, or of all, at the model's cutoff."""
        asked = names or tuple(self.predictor.tasks)
        return Answering(self.predictor, self.log, asked, self.predictor.cutoff_at)

    def publish(
        self,
        session: Session,
        dataset: Dataset,
        data_dir: Path,
        *,
        answers: bool = True,
    ) -> int:
        """Publish the model as the dataset's next version; returns its number.

        Perhaps without what it says about everybody.
        """
        path = f"models/{dataset.id}-{len(list((data_dir / 'models').glob('*')))}"
        copytree(self.artifact, data_dir / path)
        version = publish(
            session,
            dataset_id=dataset.id,
            job_id=None,
            artifact_path=path,
            dataset_revision=dataset.revision,
            estimator_report=self.predictor.report.model_dump(mode="json"),
            task_graph=self.predictor.task_graph.model_dump(mode="json"),
            tasks=[task.model_dump(mode="json") for task in TASKS],
            cutoff_at=self.predictor.cutoff_at,
            prediction_set=self._store(session, dataset, data_dir / "spool") if answers else None,
        )
        return version.number

    def _store(self, session: Session, dataset: Dataset, folder: Path) -> PredictionSet:
        folder.mkdir(parents=True, exist_ok=True)
        answering, spool = self.answering(), AnswerSpool(folder, {})
        pieces = answering.pieces(Scope())
        score_into(spool, answering, pieces, lambda _: None, lambda: False)
        set_id = SetWriter(answering, pieces, spool, lambda: nullcontext(session)).write(
            dataset.id, None, ranked=True, progress=lambda _: None, should_stop=lambda: False
        )
        return session.get_one(PredictionSet, set_id)


def with_further_columns(events: pd.DataFrame) -> pd.DataFrame:
    """The events with a device, a text, and with stars, a number."""
    rng = np.random.default_rng(0)
    return events.assign(
        device=rng.choice(["phone", "desk"], len(events), p=[0.7, 0.3]),
        stars=rng.integers(1, 6, len(events)).astype(float),
    )


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    simulated = simulate_shop(users=100, items=30, days=240)
    users = pd.concat([simulated.users, pd.DataFrame({"user": [STRANGER]})], ignore_index=True)
    events = with_further_columns(simulated.events)
    log = EventLog.from_frames(events, users, simulated.items)
    artifact = tmp_path_factory.mktemp("trained") / "artifact"
    SSMTL(TASKS, _SMALL).fit(log).save(artifact)
    return TrainedShop(events, users, simulated.items, artifact, log, Predictor.load(artifact))


@dataclass(frozen=True)
class Service:
    """A service whose dataset `shop` has the trained shop's log and model."""

    client: TestClient
    settings: Settings
    sessions: sessionmaker[Session]
    shop: TrainedShop

    def get(self, path: str, **query: Any) -> Any:
        """The answer of a GET below the dataset, which must be 200."""
        answer = self.client.get(f"/v1/datasets/{NAME}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, status: int, **query: Any) -> Any:
        """The problem of a GET below the dataset."""
        answer = self.client.get(f"/v1/datasets/{NAME}{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    def predict(self, body: Any, status: int = 200, **query: Any) -> Any:
        """The answer of POST predictions."""
        url = f"/v1/datasets/{NAME}/predictions"
        answer = self.client.post(url, json=body, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()


def upload(client: TestClient, table: str, rows: pd.DataFrame) -> None:
    body = BytesIO()
    rows.to_parquet(body, index=False)
    answer = client.post(
        f"/v1/datasets/{NAME}/imports",
        params={"table": table, "format": "parquet"},
        content=body.getvalue(),
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    trained_shop: TrainedShop,
) -> Iterator[Service]:
    """One for all tests of a module: they may add to it, and leave what they found."""
    folder = tmp_path_factory.mktemp("service")
    with migrated_database(request, folder) as url:
        settings = Settings(
            _env_file=None, data_dir=folder / "data", database_url=url, embedded_worker=False
        )
        app = create_app(settings)
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.post("/v1/datasets", json={"name": NAME}).status_code == 201
            upload(client, "users", trained_shop.users)
            upload(client, "items", trained_shop.items)
            upload(client, "events", trained_shop.events)
            with transaction(app.state.session_factory) as session:
                trained_shop.publish(session, get_dataset(session, NAME), settings.data_dir)
            yield Service(client, settings, app.state.session_factory, trained_shop)
