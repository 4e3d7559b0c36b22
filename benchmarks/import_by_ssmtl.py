"""One import by the service, in a process of its own, for `benchmarks.imports`.

    python -m benchmarks.import_by_ssmtl EVENTS.csv FOLDER --cost FILE

What is timed is all that an upload sets off once its body has arrived: reading, checking, leaving
out duplicates, writing the part, and recording it in the database.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from app.api.importing import Importer, ImportOrder
from app.api.receiving import Received
from app.db.engine import make_engine, make_session_factory, transaction
from app.db.migrate import upgrade
from app.domain.datasets import create_dataset
from app.ingest.formats import Reading
from app.ingest.mapping import Mapping
from app.ingest.parts import staging
from app.ingest.staging import Policy
from benchmarks.measuring import measured, write_cost

_WARM_UP = "user_id,item_id,time,event_type\nu1,i1,2024-01-01,view\n"


def main() -> None:
    """Import a file and say what it cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.import_by_ssmtl")
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cost", type=Path, required=True)
    given = parser.parse_args()
    importer = _service(given.folder)
    small = given.folder / "warm-up.csv"
    small.write_text(_WARM_UP)
    import_file(importer, small, "warm-up")
    write_cost(measured(partial(import_file, importer, given.source, "shop")), given.cost)


def import_file(importer: Importer, source: Path, dataset: str) -> dict[str, Any]:
    """The counts of the report, and where the rejected rows are."""
    order = ImportOrder(dataset, "events", Reading("csv"), Policy("skip"), key=None)
    with staging(importer.data_dir) as folder:
        upload = folder / "upload"
        upload.symlink_to(source.resolve())
        row, _ = importer.run(order, Received(upload, "", "text/csv", None, claims_gzip=False))
    rejections = row.rejections_path
    return {
        "read": row.rows_read,
        "accepted": row.rows_accepted,
        "rejected": row.rows_rejected,
        "rejections": None if rejections is None else str(importer.data_dir / rejections),
    }


def _service(folder: Path) -> Importer:
    url = f"sqlite:///{folder / 'ssmtl.sqlite3'}"
    upgrade(url)
    factory = make_session_factory(make_engine(url))
    for name in ("warm-up", "shop"):
        with transaction(factory) as session:
            create_dataset(session, name, "UTC", Mapping())
    return Importer(factory, folder, max_upload_bytes=2**40)


if __name__ == "__main__":
    main()
