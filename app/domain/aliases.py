"""Aliases: names such as `champion` that point to a model version and can be moved."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.db.tables import Alias, Dataset, ModelVersion
from app.db.types import utc_now
from app.domain.datasets import note_change
from app.domain.model_versions import CHAMPION, get_version, has_versions
from app.domain.tasks import get_task
from app.errors import NotFound, NotTrained, PreconditionFailed


@dataclass(frozen=True)
class PointedAlias:
    """An alias and the number of the version that it points to."""

    alias: Alias
    version: int


def put_alias(
    session: Session, dataset: Dataset, name: str, number: int, if_match: str | None = None
) -> tuple[PointedAlias, bool]:
    """Point an alias to a version; the second answer says whether it is a new one.

    The dataset must be locked, so that of two moves with the same If-Match one is refused.

    Raises:
        NotFound: the dataset has no version of this number.
        PreconditionFailed: `if_match` names another state than the alias'.
    """
    found = _find(session, dataset, name)
    _check_precondition(found, name, if_match)
    version = get_version(session, dataset, number)
    if found is None:
        alias = Alias(dataset_id=dataset.id, name=name, model_version_id=version.id)
        session.add(alias)
    else:
        alias = found.alias
        if alias.model_version_id != version.id:
            alias.model_version_id = version.id
            alias.updated_at = utc_now()
    session.flush()
    note_change(session, dataset.id)
    return PointedAlias(alias, number), found is None


def get_alias(session: Session, dataset: Dataset, name: str) -> PointedAlias:
    """The alias of this name.

    Raises:
        NotFound: the dataset has none; the message says which it has.
    """
    found = _find(session, dataset, name)
    if found is None:
        known = ", ".join(other.alias.name for other in list_aliases(session, dataset))
        there_are = f"there are {known}" if known else "there are none yet"
        raise NotFound(
            f"no alias {name!r} in dataset {dataset.name!r}; {there_are}", code="alias_not_found"
        )
    return found


def list_aliases(
    session: Session, dataset: Dataset, after: str | None = None, limit: int | None = None
) -> list[PointedAlias]:
    """Aliases by name, one more than `limit` if there are more."""
    statement = _every(dataset).order_by(Alias.name)
    if after is not None:
        statement = statement.where(Alias.name > after)
    if limit is not None:
        statement = statement.limit(limit + 1)
    return [PointedAlias(*row) for row in session.execute(statement)]


def names_by_version(session: Session, dataset: Dataset) -> dict[int, list[str]]:
    """The aliases of each version number that has some."""
    names: dict[int, list[str]] = defaultdict(list)
    for found in list_aliases(session, dataset):
        names[found.version].append(found.alias.name)
    return names


def find_version(
    session: Session, dataset: Dataset, reference: str, task_names: Sequence[str] = ()
) -> ModelVersion:
    """The version that a number or an alias stands for.

    Args:
        session: to look it up in.
        dataset: whose version.
        reference: such as `3` or `champion`.
        task_names: what is to be predicted, so that a name that nobody has declared is told before
            a missing model is.

    Raises:
        NotFound: there is no such version or alias, or no model and no such task.
        NotTrained: the dataset has no trained model at all.
    """
    if reference.isascii() and reference.isdecimal():
        return get_version(session, dataset, int(reference))
    if reference == CHAMPION and not has_versions(session, dataset):
        for name in task_names:
            get_task(session, dataset, name)
        raise NotTrained(
            f"dataset {dataset.name!r} has no trained model yet: "
            f"POST /v1/datasets/{dataset.name}/training-jobs trains one"
        )
    alias = get_alias(session, dataset, reference).alias
    return session.get_one(ModelVersion, alias.model_version_id)


def etag_of(found: PointedAlias) -> str:
    """Changes whenever the alias is moved."""
    alias = found.alias
    state = f"{alias.dataset_id} {alias.model_version_id} {alias.updated_at.isoformat()}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:20]}"'


def _every(dataset: Dataset) -> Select[Alias, int]:
    query = select(Alias, ModelVersion.number)
    query = query.join(ModelVersion, ModelVersion.id == Alias.model_version_id)
    return query.where(Alias.dataset_id == dataset.id)


def _find(session: Session, dataset: Dataset, name: str) -> PointedAlias | None:
    row = session.execute(_every(dataset).where(Alias.name == name)).one_or_none()
    return None if row is None else PointedAlias(*row)


def _check_precondition(found: PointedAlias | None, name: str, if_match: str | None) -> None:
    if if_match is None:
        return
    wanted = {tag.strip() for tag in if_match.split(",")}
    if found is None:
        raise PreconditionFailed(f"there is no alias {name!r}, so nothing matches If-Match")
    if "*" not in wanted and etag_of(found) not in wanted:
        raise PreconditionFailed(
            f"alias {name!r} was moved meanwhile: it points to version {found.version}, "
            f"ETag {etag_of(found)}; read it again"
        )
