"""Whether there is a compiler, decided in one place; without it the same is done in NumPy.

Numba is imported when the first function is called that has to be compiled, not before. The machine
code is kept beside the module, or in the user's cache where that cannot be written; an installation
that can only be read uses what was compiled when it was made. What is kept of a function with a
signature runs without Numba (`model.kept_code`), where the system is one that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from model import intrinsics, kept_code

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


def _with_signature(function: FunctionType, signature: str) -> Any:
    if not kept_code.can_keep():
        return _compiled_for(_dispatcher(function), signature)
    kept = kept_code.load(function, signature)
    if kept is not None:
        return kept
    numba: Any = import_module("numba")
    intrinsics.tell_numba()
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
    intrinsics.tell_numba()
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
