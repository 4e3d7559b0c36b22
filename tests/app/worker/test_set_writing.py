"""From scored pieces to a set: nothing is scored twice, what is stopped leaves nothing to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.db.tables import Dataset, PredictionSet
from app.domain.prediction_sets import list_sets, read_rows, rows_by_task
from app.jobs.errors import RunLost
from app.worker import answering
from app.worker.answer_spool import AnswerSpool
from app.worker.answering import Answering, Piece, Scope, ScoredPiece
from app.worker.set_writing import SetWriter, score_into
from model.errors import Stopped
from tests.app.trained_shop import TrainedShop

Sessions = sessionmaker[Session]
USERS = "buys_14d"


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "PIECE_ENTITIES", 16)


class Counted(Answering):
    """Remembers which pieces were scored."""

    def score(self, piece: Piece) -> ScoredPiece:
        vars(self).setdefault("scored", []).append(int(piece.codes[0]))
        return super().score(piece)

    @property
    def firsts(self) -> list[int]:
        return sorted(vars(self).get("scored", []))


def counted(shop: TrainedShop) -> Counted:
    return Counted(shop.predictor, shop.log, (USERS,), shop.predictor.cutoff_at)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_run_that_goes_on_scores_only_what_is_missing(
    trained_shop: TrainedShop, tmp_path: Path, small_pieces: None, threads: int
) -> None:
    asked = counted(trained_shop)
    pieces, told = asked.pieces(Scope()), iter([False] * 3 + [True] * 99)
    with pytest.raises(Stopped):
        score_into(
            AnswerSpool(tmp_path, {}), asked, pieces, lambda _: None, lambda: next(told), threads
        )
    kept = AnswerSpool(tmp_path, {})
    assert 0 < len(kept) < len(pieces)
    missing = [int(piece.codes[0]) for at, piece in enumerate(pieces) if at not in kept]
    following = counted(trained_shop)
    done: list[float] = []
    score_into(kept, following, pieces, done.append, lambda: False, threads)
    assert following.firsts == missing
    assert len(kept) == len(pieces)
    assert done == sorted(done)


def test_a_written_set_holds_what_the_model_says(
    trained_shop: TrainedShop,
    tmp_path: Path,
    small_pieces: None,
    session_factory: Sessions,
) -> None:
    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={})
        session.add(dataset)
    asked, spool = trained_shop.answering(USERS, "meets_14d"), AnswerSpool(tmp_path, {})
    pieces = asked.pieces(Scope())
    score_into(spool, asked, pieces, lambda _: None, lambda: False)
    writer = SetWriter(asked, pieces, spool, lambda: transaction(session_factory))
    set_id = writer.write(
        dataset.id, None, ranked=True, progress=lambda _: None, should_stop=lambda: False
    )
    with transaction(session_factory, write=False) as session:
        assert list_sets(session, dataset, None, 9) == []  # nobody sees it yet
        stored = session.get_one(PredictionSet, set_id)
        sizes = rows_by_task(session, stored)
        (rows,) = read_rows(session, set_id, USERS, 0, sizes[USERS])
    assert (sum(sizes.values()), stored.bytes > 0) == (stored.rows, True)
    ids = rows.entity_ids.to_pylist()
    expected = trained_shop.predictor.predict(trained_shop.log, [USERS], ids)[USERS]
    assert list(rows.point) == pytest.approx(expected.point, abs=1e-6)
    assert rows.cold_start.tolist() == expected.cold_start.tolist()
    assert sorted(zip(rows.point, ids, strict=True)) == list(zip(rows.point, ids, strict=True))


def test_a_run_that_lost_its_job_stores_nothing(
    trained_shop: TrainedShop, tmp_path: Path, session_factory: Sessions
) -> None:
    @contextmanager
    def lost() -> Iterator[Session]:
        with transaction(session_factory) as session:
            yield session
            raise RunLost("another run has the job")

    with transaction(session_factory) as session:
        dataset = Dataset(name="shop", time_zone="UTC", mapping={})
        session.add(dataset)
    asked, spool = trained_shop.answering(USERS), AnswerSpool(tmp_path, {})
    pieces = asked.pieces(Scope())
    score_into(spool, asked, pieces, lambda _: None, lambda: False)
    writer = SetWriter(asked, pieces, spool, lost)
    with pytest.raises(RunLost):
        writer.write(
            dataset.id, None, ranked=True, progress=lambda _: None, should_stop=lambda: False
        )
    with transaction(session_factory, write=False) as session:
        assert session.query(PredictionSet).count() == 0
