"""The first file of a multipart form, as it streams by."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.ingest.faults import InvalidUpload


class FilePart:
    """Finds the first part with a file name and gives its bytes; the others are ignored.

    Raises:
        InvalidUpload: The body is no multipart form.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidUpload("multipart/form-data without a boundary in its Content-Type")
        self.file_name: str | None = None
        self.media_type: str | None = None
        self._is_file = self._is_done = self._is_complete = False
        self._found = bytearray()
        self._headers: dict[str, bytes] = {}
        self._field, self._value = bytearray(), bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._add_field,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._start_part,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> bytes:
        """The bytes of the file in this piece of the body."""
        self._found.clear()
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidUpload(f"cannot read the multipart form: {error}") from error
        return bytes(self._found)

    def close(self) -> None:
        """To be called after the last piece.

        Raises:
            InvalidUpload: There was no file, or the form was cut off.
        """
        if not self._is_complete:
            raise InvalidUpload("the multipart form was cut off")
        if not self._is_done:
            raise InvalidUpload("the multipart form has no file part")

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _start_part(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self._is_file = b"filename" in options and not self._is_done
        if self._is_file:
            self.file_name = options[b"filename"].decode(errors="replace")
            self.media_type = self._headers.get("content-type", b"").decode("latin-1") or None

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._found += data[start:end]

    def _end_part(self) -> None:
        self._is_done = self._is_done or self._is_file
        self._is_file = False

    def _end(self) -> None:
        self._is_complete = True
