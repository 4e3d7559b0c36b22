"""What a compiled function can do that Python has no word for: fetch ahead, read to an address."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def tell_numba() -> None:
    """Have the compiler know these, before it meets a function that has them."""
    _know_prefetch()
    _know_read_at()


def prefetch(entries: Any, place: Any) -> None:
    """Have the processor fetch an entry of an array that will be read soon; places do not wrap.

    Entries that are read in no order are waited for one after the other, unless they are asked for
    some way ahead. Without a compiler it does nothing.
    """


def _know_prefetch() -> None:
    """Tell Numba what `prefetch` does in a compiled function."""
    extending: Any = import_module("numba.extending")
    types: Any = import_module("numba.types")
    cgutils: Any = import_module("numba.core.cgutils")
    ir: Any = import_module("llvmlite.ir")
    byte_pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)

    def lowered(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        entry = cgutils.get_item_pointer(context, builder, array_type, array, [arguments[1]])
        does = ir.FunctionType(ir.VoidType(), [byte_pointer, flag, flag, flag])
        instruction = cgutils.get_or_insert_function(builder.module, does, "llvm.prefetch.p0")
        # To read it, to keep it as near as can be, and it is data.
        flags = [ir.Constant(flag, number) for number in (0, 3, 1)]
        builder.call(instruction, [builder.bitcast(entry, byte_pointer), *flags])
        return context.get_dummy_value()

    def fetched(_: Any, entries: Any, __: Any) -> Any:
        return types.void(entries, types.intp), lowered

    intrinsic = extending.intrinsic(fetched)

    def in_machine_code(entries: Any, place: Any) -> None:
        intrinsic(entries, place)

    def for_any_types(entries: Any, place: Any) -> Any:  # noqa: ARG001 (named alike)
        return in_machine_code

    extending.overload(prefetch)(for_any_types)


def read_at(file: Any, place: Any, size: Any, offset: Any) -> int:
    """In a compiled function: `pread` of the C library.

    Args:
        file: the number of an open file.
        place: address to read to.
        size: bytes.
        offset: in the file.

    Returns:
        How many bytes were read, less than nothing for an error.
    """
    raise NotImplementedError("only a compiled function reads to an address")


def _know_read_at() -> None:
    """Tell Numba what `read_at` does in a compiled function."""
    extending: Any = import_module("numba.extending")
    types: Any = import_module("numba.types")
    cgutils: Any = import_module("numba.core.cgutils")
    ir: Any = import_module("llvmlite.ir")
    byte_pointer, whole, long = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)

    def lowered(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        file, place, size, offset = arguments
        does = ir.FunctionType(long, [whole, byte_pointer, long, long])
        called = cgutils.get_or_insert_function(builder.module, does, "pread")
        return builder.call(called, [file, builder.inttoptr(place, byte_pointer), size, offset])

    def fetched(_: Any, file: Any, place: Any, size: Any, offset: Any) -> Any:  # noqa: ARG001
        return types.int64(types.int32, types.int64, types.int64, types.int64), lowered

    intrinsic = extending.intrinsic(fetched)

    def in_machine_code(file: Any, place: Any, size: Any, offset: Any) -> Any:
        return intrinsic(file, place, size, offset)

    def for_any_types(file: Any, place: Any, size: Any, offset: Any) -> Any:  # noqa: ARG001
        return in_machine_code

    extending.overload(read_at)(for_any_types)
