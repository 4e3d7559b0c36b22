"""Every record is read or named, and named by its true number."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.csv_upload import CsvUpload
from app.ingest.faults import InvalidUpload

cells = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',"\n\r;'), max_size=6
)
# An empty line is no record, and a lone carriage return ends one for the writer but not for all.
records = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=40).map(
    lambda rows: [[cell.replace("\r", "") for cell in row] for row in rows if any(row)]
)


def read(content: bytes, folder: Path, **options: int) -> tuple[dict[int, list[str]], list[int]]:
    path = folder / "upload"
    path.write_bytes(content)
    upload = CsvUpload(path, **options)
    good: dict[int, list[str]] = {}
    bad: list[int] = []
    for block in upload.blocks(upload.columns):
        columns = [block.columns[name].to_pylist() for name in upload.columns if len(block)]
        for position, record in enumerate(block.records.tolist()):
            good[record] = [column[position] for column in columns]
        bad += [rejection.row for rejection in block.malformed]
    return good, bad


@given(rows=records, block_bytes=st.integers(400, 2000))
def test_all_records_are_found_and_numbered(rows: list[list[str]], block_bytes: int) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b"], *rows])
    with TemporaryDirectory() as folder:
        good, bad = read(text.getvalue().encode(), Path(folder), block_bytes=block_bytes)
    assert good == {n: row for n, row in enumerate(rows, 1) if len(row) == 2}
    assert sorted(bad) == [n for n, row in enumerate(rows, 1) if len(row) != 2]


def test_numbers_hold_across_blocks(tmp_path: Path) -> None:
    rows = [f"{n},x" if n % 7 else f"{n}" for n in range(1, 5001)]
    good, bad = read(("a,b\n" + "\n".join(rows)).encode(), tmp_path, block_bytes=512)
    assert bad == list(range(7, 5001, 7))
    assert all(row[0] == str(number) for number, row in good.items())
    assert len(good) + len(bad) == 5000


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes("\ufeff用户ID,商品ID\n小明,茶\n".encode())
    upload = CsvUpload(path)
    assert upload.columns == ["用户ID", "商品ID"]
    block = next(upload.blocks(upload.columns))
    assert block.columns["用户ID"].to_pylist() == ["小明"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "no header"),
        (b"a,a\n1,2\n", "more than once"),
        (b"a,b\n1,\xe9\n", "not UTF-8 text: byte 0xe9 at offset 6"),
        ("a,b\n1,é\n".encode()[:-2], "cut off"),
        (b"a,b\n1,\x00\n", "zero byte at offset 6"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"PAR1....", "Parquet"),
        (b"PK\x03\x04....", "Excel"),
    ],
)
def test_what_is_no_csv_is_told_from_it(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(InvalidUpload, match=words):
        CsvUpload(path)


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a,b,c";d\n1;2\n', ";"),
        ("price, EUR;user\n1;u1\n", ";"),
        ("a;b,c\n1,2\n", ","),
        ("a,b|c\n", ","),
        ("only\n1\n", ","),
        ("a;b;c\n1\n", ";"),
    ],
)
def test_the_header_tells_the_delimiter(content: str, delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text(content)
    assert CsvUpload(path).delimiter == delimiter


def test_a_delimiter_that_is_given_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text("a,b;c,d\n1,2;3,4\n")
    upload = CsvUpload(path, delimiter=";")
    assert upload.columns == ["a,b", "c,d"]
    (block,) = upload.blocks(upload.columns)
    assert [block.columns[name].to_pylist() for name in upload.columns] == [["1,2"], ["3,4"]]


def test_a_quotation_mark_that_is_never_closed_is_explained(tmp_path: Path) -> None:
    content = b'a,b\n1,"' + b"x,y\n" * 1000
    with pytest.raises(InvalidUpload, match="quotation mark"):
        read(content, tmp_path, block_bytes=512)
