"""Which parts a dataset has."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Part
from app.ingest.parts import PartFile


def parts_of(session: Session, dataset_id: int, data_dir: Path) -> list[PartFile]:
    """All parts of a dataset, in the order of import."""
    rows = session.scalars(select(Part).where(Part.dataset_id == dataset_id).order_by(Part.id))
    return [PartFile(data_dir / row.path, row.table, row.first_at, row.last_at) for row in rows]
