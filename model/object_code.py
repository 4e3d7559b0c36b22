"""Brings an object file of machine code into memory, as a linker would: ELF of x86-64.

What Numba's compiler makes is compiled for any address and refers to what is outside by whole
addresses, so that two kinds of relocation are all there are.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

IS_KNOWN_MACHINE = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
"""Whether this is a system whose object files are read; the file says for which processor it is."""

_X86_64, _RELOCATABLE = 62, 1
_SYMBOLS, _RELOCATIONS, _UNWIND = 2, 4, 0x70000001
_WRITABLE, _IN_MEMORY = 1, 2
_UNDEFINED, _COMMON = 0, 0xFFF2
_ADDRESS, _DISTANCE = 1, 24
_LEAST_ALIGNMENT = 16


class UnknownObject(ValueError):
    """An object file that is not one of those that are understood."""


class _Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int


class _Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


class ObjectCode:
    """An object file in memory, for as long as the process lives.

    Attributes:
        addresses: of what it defines, by name.

    Args:
        content: the file.
        outside: says where a name is that it does not define; raises `KeyError`.
        values: what stands in variables of the size of an address, by name; the others hold zero.

    Raises:
        UnknownObject: the file is for another system, or has what is not understood here.
        KeyError: a name is nowhere.
        OSError: the system refuses memory for machine code.
    """

    def __init__(
        self, content: bytes, outside: Callable[[str], int], values: dict[str, int]
    ) -> None:
        try:
            self._place(content, outside, values)
        except (struct.error, IndexError) as error:
            raise UnknownObject(f"the object file is cut off: {error}") from error

    def _place(self, content: bytes, outside: Callable[[str], int], values: dict[str, int]) -> None:
        sections = list(_sections(content))
        places, size = _layout(sections)
        table = next(section for section in sections if section.type == _SYMBOLS)
        symbols = list(_symbols(content, table))
        names = [_text(content, sections[table.link], symbol.name) for symbol in symbols]
        common = {
            row: size + 8 * number
            for number, row in enumerate(
                row for row, symbol in enumerate(symbols) if symbol.section == _COMMON
            )
        }
        memory = mmap.mmap(-1, size + 8 * len(common), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for number, place in places.items():
            section = sections[number]
            memory[place : place + section.size] = _bytes(content, section)
        for row, place in common.items():
            memory[place : place + 8] = struct.pack("<Q", values.get(names[row], 0))

        def address(row: int) -> int:
            symbol = symbols[row]
            if row in common:
                return start + common[row]
            if symbol.section == _UNDEFINED:
                return outside(names[row])
            return start + places[symbol.section] + symbol.value

        for section in sections:
            if section.type == _RELOCATIONS and section.info in places:
                _relocate(memory, start, places[section.info], content, section, address)
        _make_executable(start, len(memory))
        self._memory = memory
        self.addresses = {
            name: start + places[symbol.section] + symbol.value
            for name, symbol in zip(names, symbols, strict=True)
            if name and symbol.section in places
        }


def _sections(content: bytes) -> Iterator[_Section]:
    if content[:6] != b"\x7fELF\x02\x01":
        raise UnknownObject("the object file is not a 64-bit ELF file")
    kind, machine = struct.unpack_from("<HH", content, 16)
    if (kind, machine) != (_RELOCATABLE, _X86_64):
        raise UnknownObject(f"the object file is of kind {kind} for machine {machine}")
    (first,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    for number in range(count):
        yield _Section(*struct.unpack_from("<IIQQQQIIQQ", content, first + number * size))


def _layout(sections: list[_Section]) -> tuple[dict[int, int], int]:
    """Where each section stands that is needed to run, and how much that is."""
    places, end = {}, 0
    for number, section in enumerate(sections):
        is_needed = section.flags & _IN_MEMORY and section.type != _UNWIND
        if not is_needed:
            continue
        if section.flags & _WRITABLE:
            raise UnknownObject("the object file has variables")
        alignment = max(section.alignment, _LEAST_ALIGNMENT)
        places[number] = -(-end // alignment) * alignment
        end = places[number] + section.size
    return places, -(-end // 8) * 8


def _symbols(content: bytes, table: _Section) -> Iterator[_Symbol]:
    for offset in range(table.offset, table.offset + table.size, table.entry):
        yield _Symbol(*struct.unpack_from("<IBBHQQ", content, offset))


def _relocate(
    memory: mmap.mmap,
    start: int,
    place: int,
    content: bytes,
    section: _Section,
    address: Callable[[int], int],
) -> None:
    """Write the addresses that a section refers to."""
    for entry in range(section.offset, section.offset + section.size, section.entry):
        offset, info, addend = struct.unpack_from("<QQq", content, entry)
        kind, found = info & 0xFFFFFFFF, address(info >> 32) + addend
        if kind == _DISTANCE:
            found -= start + place + offset
        elif kind != _ADDRESS:
            raise UnknownObject(f"the object file has a relocation of kind {kind}")
        struct.pack_into("<Q", memory, place + offset, found & 0xFFFFFFFFFFFFFFFF)


def _make_executable(start: int, size: int) -> None:
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if protect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "no memory for machine code")


def _bytes(content: bytes, section: _Section) -> bytes:
    return content[section.offset : section.offset + section.size]


def _text(content: bytes, strings: _Section, place: int) -> str:
    start = strings.offset + place
    return content[start : content.index(b"\0", start)].decode()
