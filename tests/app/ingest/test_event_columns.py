import pytest

from app.ingest.event_columns import check_agreement
from app.ingest.faults import InvalidUpload


@pytest.mark.parametrize(("has_time", "known"), [(True, True), (False, False), (True, None)])
def test_what_agrees_passes(has_time: bool, known: bool | None) -> None:
    check_agreement(has_time, known)


@pytest.mark.parametrize("has_time", [True, False])
def test_what_another_import_has_decided_otherwise_meanwhile_is_refused(has_time: bool) -> None:
    with pytest.raises(InvalidUpload, match="make another dataset") as raised:
        check_agreement(has_time, not has_time)
    assert raised.value.code == "times_disagree"
