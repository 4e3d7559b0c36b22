from pathlib import Path

from app.worker.answer_spool import read_rows, write_rows


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        {
            "entity_id": "用户\n1",
            "point": 0.1,
            "cold_start": True,
            "distribution": {"kind": "occurs"},
        },
        {
            "entity_id": "u2",
            "point": 2.0,
            "cold_start": False,
            "distribution": {"q": {"0.5": 1e12}},
        },
    ]
    path = tmp_path / "rows"
    with path.open("wb") as file:
        write_rows(file, rows[:1])
        write_rows(file, rows[1:])
    assert list(read_rows(path)) == rows
