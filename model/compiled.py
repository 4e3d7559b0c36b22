"""Whether there is a compiler, decided in one place; without it the same is done in NumPy.

Numba is imported when the first function is called that has to be compiled, not before. The machine
code is kept beside the module, or in the user's cache where that cannot be written; an installation
that can only be read uses what was compiled when it was made. What is kept of a function with a
signature runs without Numba (`model.kept_code`), where the system is one that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property, update_wrapper
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from model import kept_code

COMPILED = find_spec("numba") is not None
"""Whether functions marked with `compiled` are; if not, their callers take the NumPy path."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_IMPORTING = Lock()
_WITH_SIGNATURE: list[Compiled[Any, Any]] = []


class Compiled(Generic[Arguments, Result]):
    """A function that is machine code once it is called, and holds no lock while it runs.

    Args:
        function: in the part of Python that Numba knows; it calls no other compiled one.
        signature: the only types that it takes, in Numba's words; left out: any.
    """

    def __init__(self, function: Callable[Arguments, Result], signature: str | None) -> None:
        self._function = function
        self._signature = signature
        update_wrapper(self, function)

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Run it."""
        return self.machine_code(*args, **kwargs)

    def looked_at(
        self, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Callable[Arguments, Result]:
        """The same for whoever goes on calling it with these arrays and any numbers.

        A call then costs a fraction of what it does to look at the arrays each time.
        """
        machine_code: Any = self.machine_code
        if isinstance(machine_code, kept_code.KeptFunction):
            return machine_code.looked_at(*args, **kwargs)
        return cast("Callable[Arguments, Result]", machine_code)

    @cached_property
    def machine_code(self) -> Callable[Arguments, Result]:
        """The compiled function; with a signature it is compiled by now."""
        if not COMPILED:
            return self._function
        with _IMPORTING:
            found: Callable[Arguments, Result] = (
                _dispatcher(self._function)
                if self._signature is None
                else _with_signature(cast("FunctionType", self._function), self._signature)
            )
            return found


def compiled(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Mark a function as one that shall be machine code; without a compiler it stays as it is."""
    return Compiled(function, None)


def compiled_as(
    signature: str,
) -> Callable[[Callable[Arguments, Result]], Compiled[Arguments, Result]]:
    """The same for one signature alone: it is compiled once, and never again in a request."""

    def mark(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
        marked = Compiled(function, signature)
        _WITH_SIGNATURE.append(marked)
        return marked

    return mark


def compile_all() -> None:
    """Compile what has a signature in all modules imported so far: for an installation to ship."""
    for marked in _WITH_SIGNATURE:
        _ = marked.machine_code


def prefetch(entries: Any, place: Any) -> None:
    """Have the processor fetch an entry of an array that will be read soon; places do not wrap.

    Entries that are read in no order are waited for one after the other, unless they are asked for
    some way ahead. Without a compiler it does nothing.
    """


@cache
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


@cache
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


def _with_signature(function: FunctionType, signature: str) -> Any:
    if not kept_code.can_keep():
        return _compiled_for(_dispatcher(function), signature)
    kept = kept_code.load(function, signature)
    if kept is not None:
        return kept
    numba: Any = import_module("numba")
    _know_prefetch()
    _know_read_at()
    caching: Any = import_module("numba.core.caching")

    class Kept(caching.NullCache):  # type: ignore[misc]
        """Looks for nothing, and keeps what is compiled."""

        def save_overload(self, _sig: Any, compiled: Any) -> None:
            kept_code.keep(function, signature, compiled)

    dispatcher = numba.njit(nogil=True)(function)
    dispatcher._cache = Kept()
    return _compiled_for(dispatcher, signature)


def _compiled_for(dispatcher: Any, signature: str) -> Any:
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def _dispatcher(function: Callable[..., Any]) -> Any:
    # By name: its types contradict what it does.
    numba: Any = import_module("numba")
    _know_prefetch()
    _know_read_at()
    caching: Any = import_module("numba.core.caching")

    class InstalledLocator(caching.InTreeCacheLocator):  # type: ignore[misc]
        """Beside the module, also where that can only be read but was written before."""

        def ensure_cache_path(self) -> None:
            folder = Path(self.get_cache_path())
            if not any(folder.glob(f"{Path(self._py_file).stem}.*.nbi")):
                super().ensure_cache_path()

    class InstalledFiles(caching.CompileResultCacheImpl):  # type: ignore[misc]
        _locator_classes = (InstalledLocator, *caching.CompileResultCacheImpl._locator_classes)

    class InstalledCache(caching.FunctionCache):  # type: ignore[misc]
        _impl_class = InstalledFiles

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except OSError:
                return  # it cannot be kept, and runs all the same

    dispatcher = numba.njit(nogil=True)(function)
    try:
        dispatcher._cache = InstalledCache(function)
    except RuntimeError:  # no folder for a cache: compiled in each process
        return dispatcher
    return dispatcher
