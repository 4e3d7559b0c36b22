"""Small datasets and small trainings, over HTTP."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx

from model.simulation import simulate_shop

SMALL = {
    "max_epochs": 5,
    "max_steps_per_epoch": 20,
    "max_cutoffs": 4,
    "max_rows": 2000,
    "width": 16,
    "members": 2,
    "bootstrap": 2,
}
LONG = {
    **SMALL,
    "max_epochs": 5000,
    "patience": 5000,
    "max_steps_per_epoch": 1000,
    "batch_rows": 1,  # many steps, so that checkpoints come in the middle of an epoch
}
TASKS = {
    "buys_14d": ("user", {"kind": "occurs", "event_type": "purchase"}),
    "spends_14d": ("user", {"kind": "sum", "event_type": "purchase"}),
}


def add_datasets(client: httpx.Client, names: list[str]) -> None:
    """Datasets with the same two months of a simulated shop and two tasks."""
    body = BytesIO()
    simulate_shop(users=80, items=20, days=200).events.to_parquet(body, index=False)
    for name in names:
        _checked(client.post("/v1/datasets", json={"name": name}))
        _checked(
            client.post(
                f"/v1/datasets/{name}/imports",
                params={"table": "events", "format": "parquet"},
                content=body.getvalue(),
            )
        )
        for task, (entity, target) in TASKS.items():
            declaration = {"entity": entity, "target": target, "horizon_days": 14}
            _checked(client.put(f"/v1/datasets/{name}/tasks/{task}", json=declaration))


def submit(
    client: httpx.Client, dataset: str, config: dict[str, Any] = SMALL, seed: int = 0
) -> str:
    """Queue a training; its id."""
    return job_id_of(client.post(jobs_path(dataset), json=training(config, seed)))


def jobs_path(dataset: str) -> str:
    """Where trainings of a dataset are submitted."""
    return f"/v1/datasets/{dataset}/training-jobs"


def training(config: dict[str, Any] = SMALL, seed: int = 0) -> dict[str, Any]:
    """What is asked of a training."""
    return {"config": config, "seed": seed}


def job_id_of(answer: httpx.Response) -> str:
    """The job that was made.

    Raises:
        RuntimeError: it was not.
    """
    job_id: str = _checked(answer).json()["id"]
    return job_id


def cancel(client: httpx.Client, job_id: str) -> None:
    """Ask a job to stop."""
    _checked(client.post(f"/v1/training-jobs/{job_id}/cancel"))


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")
    return answer
