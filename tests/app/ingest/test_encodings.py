from pathlib import Path

import pytest

from app.ingest import encodings
from app.ingest.encodings import as_utf8, is_gb18030
from app.ingest.faults import InvalidUpload
from app.ingest.formats import Encoding

TEXT = "用户ID,商品ID\n小明,茶€\n"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_text_of_any_known_encoding_becomes_utf8(
    encoding: Encoding, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_CHUNK_BYTES", 3)
    path = tmp_path / "upload"
    path.write_bytes(TEXT.encode(encoding))
    assert as_utf8(path, encoding).read_text("utf-8") == TEXT


def test_utf8_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    assert as_utf8(path, "utf-8") == path


def test_what_is_not_in_that_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"a,b\n\xff\xff\n")
    with pytest.raises(InvalidUpload, match="not gb18030 text"):
        as_utf8(path, "gb18030")


def test_chinese_is_told_from_other_bytes() -> None:
    assert is_gb18030("小明,茶".encode("gb18030"))
    assert not is_gb18030("Köln, Café, naïve".encode("windows-1252"))
    assert not is_gb18030(b"plain")
