"""A dataset that can be trained as far as its rows say; its parts have no files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from app.db.tables import Dataset, Import, Part, TaskRow

BUYS = {
    "entity": "user",
    "target": {"kind": "occurs", "event_type": "purchase"},
    "horizon_days": 30,
    "weight": 1.0,
}
SPENDS = {**BUYS, "target": {"kind": "sum", "event_type": "purchase"}}


def declare_shop(session: Session) -> Dataset:
    """A dataset with two declared tasks and a year of events."""
    dataset = add_dataset(session, "shop")
    add_events(session, dataset)
    for name, declaration in (("buys_30d", BUYS), ("spends_30d", SPENDS)):
        session.add(TaskRow(dataset_id=dataset.id, name=name, declaration=declaration))
    session.flush()
    return dataset


def add_dataset(session: Session, name: str) -> Dataset:
    dataset = Dataset(name=name, time_zone="UTC", mapping={}, revision=0)
    session.add(dataset)
    session.flush()
    return dataset


def add_events(session: Session, dataset: Dataset, rows: int = 1000) -> None:
    """A year of them, as one more import."""
    first_at = datetime(2025, 1, 1, tzinfo=UTC)
    dataset.revision += 1
    counted = {
        "rows_read": rows,
        "rows_accepted": rows,
        "rows_duplicate": 0,
        "rows_rejected": 0,
    }
    upload = Import(
        dataset_id=dataset.id,
        table="events",
        format="csv",
        on_error="abort",
        rejections_by_code={},
        rejections=[],
        dataset_revision=dataset.revision,
        **counted,
    )
    session.add(upload)
    session.flush()
    session.add(
        Part(
            dataset_id=dataset.id,
            import_id=upload.id,
            table="events",
            path=f"datasets/{dataset.id}/part-{upload.id}.parquet",
            sha256="0",
            rows=rows,
            bytes=1,
            first_at=first_at,
            last_at=first_at + timedelta(days=365),
            event_types={"purchase": 1000},
            counts={"new_users": 9, "new_items": 9, "value": 1000, "quantity": 1000, "item": 1000},
            schema_version=1,
        )
    )
