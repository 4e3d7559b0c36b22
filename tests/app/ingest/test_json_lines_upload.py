from pathlib import Path

import pytest

from app.ingest import json_lines_upload
from app.ingest.faults import InvalidUpload
from app.ingest.json_lines_upload import JsonLinesUpload


def upload_of(content: bytes, folder: Path) -> JsonLinesUpload:
    path = folder / "upload"
    path.write_bytes(content)
    return JsonLinesUpload(path)


def test_values_become_text_and_bad_lines_are_named(tmp_path: Path) -> None:
    content = (
        '\ufeff{"a": 1, "b": "x"}\n'
        "\n"
        '{"a": 2.0, "b": true}\n'
        "{broken\n"
        '"text"\n'
        '{"a": {"deep": 1}}\n'
        '{"a": 2.5, "b": null}\n'
        '{"b": "last, without a line break"}'
    ).encode()
    upload = upload_of(content, tmp_path)
    assert upload.columns == ["a", "b"]
    (block,) = upload.blocks(["a", "b"])
    assert block.records.tolist() == [1, 3, 7, 8]
    assert block.columns["a"].to_pylist() == ["1", "2", "2.5", None]
    assert block.columns["b"].to_pylist() == ["x", "true", None, "last, without a line break"]
    assert [(bad.row, bad.code) for bad in block.malformed] == [
        (4, "malformed_row"),
        (5, "malformed_row"),
        (6, "malformed_row"),
    ]


def test_numbers_hold_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines_upload, "BLOCK_ROWS", 10)
    content = b"".join(b'{"a": %d}\n' % n if n % 4 else b"?\n" for n in range(1, 101))
    blocks = list(upload_of(content, tmp_path).blocks(["a"]))
    assert len(blocks) == 10
    for block in blocks:
        assert block.columns["a"].to_pylist() == [str(n) for n in block.records.tolist()]
    assert [bad.row for block in blocks for bad in block.malformed] == list(range(4, 101, 4))


def test_later_keys_are_found(tmp_path: Path) -> None:
    content = b'{"a": 1}\n' * 1500 + b'{"z": 1}\n'
    upload = upload_of(content, tmp_path)
    assert upload.columns == ["a"]
    assert not upload.complete
    assert upload.all_columns() == ["a", "z"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"\n \n", "empty"), (b'[{"a": 1}]', "one object per line")],
)
def test_what_is_no_json_lines_is_told_from_it(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidUpload, match=words):
        upload_of(content, tmp_path)


def test_an_endless_line_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines_upload, "LONGEST_LINE_BYTES", 100)
    upload = upload_of(b'{"a": 1}\n' * 1200 + b'{"a": "' + b"x" * 200 + b'"}', tmp_path)
    with pytest.raises(InvalidUpload, match="line 1201 is longer"):
        list(upload.blocks(["a"]))
