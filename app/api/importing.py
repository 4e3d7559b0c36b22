"""The edge of an import: the long work happens between transactions, not in one.

read the dataset's revision and parts -> stage -> leave out duplicates
  -> lock the dataset; same revision? publish the files, record the import, commit
                       another one?   leave out duplicates again, against the new parts
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

from app.api.receiving import Received
from app.db.engine import transaction
from app.db.tables import Import
from app.domain import datasets, idempotency, imports
from app.domain.idempotency import IdempotentRequest
from app.domain.imports import Published, Target
from app.errors import Conflict
from app.ingest.finishing import Finished, finish
from app.ingest.formats import Reading
from app.ingest.mapping import Table
from app.ingest.parts import publish
from app.ingest.staging import Convention, Policy, Staged, stage
from app.ingest.unpacking import unpack

_MOST_ATTEMPTS = 20


@dataclass(frozen=True)
class ImportOrder:
    """What the client wants imported, how, and perhaps under which idempotency key."""

    dataset: str
    table: Table
    reading: Reading
    policy: Policy
    key: str | None

    def request(self, dataset_id: int, sha256: str) -> IdempotentRequest | None:
        """The order as a request that names itself."""
        if self.key is None:
            return None
        policy: list[object] = [self.policy.on_error, self.policy.max_error_ratio]
        reading = self.reading
        if reading != Reading(reading.format):
            policy += [reading.encoding, reading.delimiter]
        return IdempotentRequest(
            operation=datasets.import_operation(dataset_id),
            key=self.key,
            fingerprint=idempotency.fingerprint_of(self.table, reading.format, policy, sha256),
        )


@dataclass(frozen=True)
class Importer:
    """Imports into the datasets of one service."""

    factory: sessionmaker[Session]
    data_dir: Path
    max_upload_bytes: int

    def run(self, order: ImportOrder, upload: Received) -> tuple[Import, bool]:
        """Import an upload, whole or not at all.

        Returns:
            The import, and False if the same request made it earlier.

        Raises:
            ServiceError: Nothing was stored; the message says why.
        """
        target, earlier = self._look(order, upload)
        if earlier is not None:
            return earlier, False
        folder = upload.path.parent
        plain = unpack(upload.path, self.max_upload_bytes, claims_gzip=upload.claims_gzip)
        convention = Convention(target.mapping, target.time_zone, target.has_time)
        staged = stage(plain, order.reading, order.table, convention, order.policy, folder)
        for _ in range(_MOST_ATTEMPTS):
            row = self._attempt(order, upload, target, staged)
            if row is not None:
                return row, True
            target, earlier = self._look(order, upload)
            if earlier is not None:
                return earlier, False
        raise Conflict(
            f"other imports into {order.dataset!r} came first, {_MOST_ATTEMPTS} times: try again"
        )

    def _look(self, order: ImportOrder, upload: Received) -> tuple[Target, Import | None]:
        with transaction(self.factory, write=False) as session:
            target = imports.find_target(session, order.dataset, self.data_dir)
            request = order.request(target.dataset_id, upload.sha256)
            earlier = idempotency.created_before(session, request)
            return target, None if earlier is None else session.get(Import, int(earlier))

    def _attempt(
        self, order: ImportOrder, upload: Received, target: Target, staged: Staged
    ) -> Import | None:
        """One try; None if the dataset has moved on since it was looked at."""
        folder = upload.path.parent
        try:
            finished = finish(staged, target.parts, folder, target.tail.keys)
        except FileNotFoundError:
            # Only a deleted dataset loses its parts; the next look says so.
            if self._look(order, upload)[0].dataset_id == target.dataset_id:
                raise
            return None
        published = Published(None, None)
        try:
            with transaction(self.factory) as session:
                dataset = imports.lock_target(session, target, finished)
                if dataset is None:
                    return None
                published = self._publish(target, staged, finished)
                return imports.add_import(
                    session,
                    dataset,
                    staged,
                    finished,
                    published,
                    order.reading.format,
                    order.policy.on_error,
                    order.request(dataset.id, upload.sha256),
                )
        except BaseException:
            datasets.remove_files(
                [self.data_dir / path for path in (published.part, published.rejections) if path],
                self.data_dir,
            )
            raise

    def _publish(self, target: Target, staged: Staged, finished: Finished) -> Published:
        def place(file: Path) -> Path:
            return publish(file, self.data_dir, target.dataset_id)

        rejections = place(staged.rejections_path) if staged.rows_rejected else None
        return Published(place(finished.path) if finished.path else None, rejections)
