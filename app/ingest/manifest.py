"""Which parts a dataset has."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Import, Part
from app.ingest.parts import PartFile


def parts_of(
    session: Session, dataset_id: int, data_dir: Path, *, revision: int | None = None
) -> list[PartFile]:
    """All parts that a dataset has, or had at an earlier revision, in the order of import."""
    query = select(Part).where(Part.dataset_id == dataset_id).order_by(Part.id)
    if revision is not None:
        query = query.join(Import, Import.id == Part.import_id)
        query = query.where(Import.dataset_revision <= revision)
    return [
        PartFile(data_dir / row.path, row.table, row.first_at, row.last_at)
        for row in session.scalars(query)
    ]
