import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from app.ingest.text_buffers import TextBuffer, trimmed

texts = st.lists(
    st.none() | st.text(st.sampled_from(" \t\u3000\u00a0ab茶\0"), max_size=5), max_size=20
)


@given(cells=texts, start=st.integers(0, 3))
def test_cells_are_trimmed_as_arrow_does_it(cells: list[str | None], start: int) -> None:
    column = pa.array(cells, pa.string())[start:]
    plain = pc.utf8_trim_whitespace(column)
    assert trimmed(column).to_pylist() == [text or None for text in plain.to_pylist()]


@given(cells=texts, start=st.integers(0, 3))
def test_the_bytes_are_those_of_the_cells(cells: list[str | None], start: int) -> None:
    column = pa.array(cells, pa.string())[start:]
    buffer = TextBuffer.of(column)
    encoded = [(text or "").encode() for text in column.to_pylist()]
    assert buffer.lengths.tolist() == [len(text) for text in encoded]
    assert buffer.used.tobytes() == b"".join(encoded)
    assert buffer.has_zeros == any(b"\0" in text for text in encoded)
    assert buffer.may_have_spaces or all(
        text.decode().isascii() and text.decode().isprintable() and b" " not in text
        for text in encoded
    )
