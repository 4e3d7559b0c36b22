"""Bad records of ten kinds in a large file with quoted line breaks: each is named, and no other."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.ingest import staging
from app.ingest.formats import Reading
from app.ingest.mapping import Mapping
from app.ingest.staging import Convention, Policy, stage
from benchmarks.import_files import BAD_OF_A_KIND, write_bad_events

ROWS = 40_000


def test_every_bad_record_is_named_by_its_number_column_and_code(tmp_path: Path) -> None:
    source = tmp_path / "events.csv"
    expected = write_bad_events(source, ROWS)
    assert source.stat().st_size > 2 * 2**20  # several blocks
    convention = Convention(Mapping(), "UTC")
    staged = stage(source, Reading("csv"), "events", convention, Policy("skip"), tmp_path)
    with gzip.open(staged.rejections_path, "rt") as file:
        told = [json.loads(line) for line in file]
    found = [(row["row"], row["column"], row["code"]) for row in told]
    assert len(found) == 10 * BAD_OF_A_KIND
    assert set(found) == expected
    assert staged.rows_read == ROWS
    assert pq.read_metadata(staged.rows_path).num_rows == ROWS - len(found)


def test_an_error_of_the_writing_thread_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "events.csv"
    write_bad_events(source, 2000)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(staging.PartWriter, "_write", fail)
    convention = Convention(Mapping(), "UTC")
    with pytest.raises(RuntimeError, match="the disk is full"):
        stage(source, Reading("csv"), "events", convention, Policy("skip"), tmp_path)
