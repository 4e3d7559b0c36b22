"""Machine code of Numba's compiler, kept in files and run without the compiler.

Numba with LLVM takes most of a second to be imported and 80 MiB of memory for as long as the
process lives, to find what was compiled long before. A kept function needs neither: its object file
is brought into memory as it is, with the few C functions of Numba that it calls. What it does is
the same to the bit. Whatever is not as expected means that there is nothing kept: the caller asks
the compiler then.

A file says what it was made from; its name changes with the function, what it refers to, the
versions of Numba and Python, and the processor.
"""

from __future__ import annotations

import builtins
import ctypes
import hashlib
import json
import os
import pickle
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from model.object_code import IS_KNOWN_MACHINE, ObjectCode

_HEAD_BYTES = 8
_CPU_INFO = Path("/proc/cpuinfo")
_OF_PROCESSOR = ("vendor_id", "cpu family", "model", "model name", "flags")
_EXTENSIONS = {
    "numba._dynfunc": "numba_",
    "numba._helperlib": "numba_",
    "numba.core.runtime._nrt_python": "NRT_",
}
"""Numba's modules in C that its machine code calls, and how it calls their functions."""


class _Argument(NamedTuple):
    """An array that a function takes: contiguous, of this type."""

    dtype: np.dtype[Any]
    dimensions: int
    is_written: bool


def load(function: FunctionType, signature: str) -> KeptFunction | None:
    """What was kept of a function for a signature; None if there is nothing that can be used."""
    if not can_keep():
        return None
    name = _name(function, signature)
    for folder in _folders(function):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, ImportError):
            return _loaded((folder / name).read_bytes(), function)
    return None


def keep(function: FunctionType, signature: str, compiled: Any) -> None:
    """Keep a compile result of Numba where it can be written, if it can be run without Numba."""
    constants = compiled.environment.consts
    if not can_keep() or not all(isinstance(one, np.dtype) for one in constants):
        return
    code = compiled.library._get_compiled_object()
    head = {
        "sha256": hashlib.sha256(code).hexdigest(),
        "wrapper": compiled.fndesc.llvm_cpython_wrapper_name,
        "environment": compiled.fndesc.env_name,
        "constants": [one.str for one in constants],
        "arguments": [_described(kind) for kind in compiled.signature.args],
    }
    said = json.dumps(head).encode()
    content = len(said).to_bytes(_HEAD_BYTES, "little") + said + code
    name = _name(function, signature)
    for folder in _folders(function):
        with suppress(OSError):
            write_aside(folder / name, content)
            return


def write_aside(path: Path, content: bytes) -> None:
    """Write a file that others may be looking for: it appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def can_keep() -> bool:
    """Numba's own settings are Numba's business, but for where files lie and which processor."""
    ours = {"NUMBA_CPU_NAME", "NUMBA_CACHE_DIR"}
    is_set_up = any(name.startswith("NUMBA_") and name not in ours for name in os.environ)
    return IS_KNOWN_MACHINE and not is_set_up


def _folders(function: FunctionType) -> Iterator[Path]:
    """Beside the module, or where this user may write."""
    yield Path(function.__code__.co_filename).parent / "__pycache__"
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(own) / "ssmtl"


def _name(function: FunctionType, signature: str) -> str:
    """What the machine code follows from is in the name."""
    code = function.__code__
    known = {
        name: repr(function.__globals__[name])
        for name in code.co_names
        if isinstance(function.__globals__.get(name), int | float | np.generic)
    }
    made_from = [
        *(_source(Path(code.co_filename)), signature, known, version("numba")),
        *(sys.implementation.cache_tag, np.__version__, _processor()),
    ]
    word = hashlib.sha256(repr(made_from).encode()).hexdigest()[:20]
    return f"{Path(code.co_filename).stem}.{function.__name__}-{word}.o"


@cache
def _numba_version() -> str:
    return version("numba")


@cache
def _source(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _processor() -> str:
    """What can differ between machines that share a folder."""
    chosen = os.environ.get("NUMBA_CPU_NAME")
    if chosen:
        return f"{platform.machine()} {chosen}"
    first = _CPU_INFO.read_text().partition("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    told = {name.strip(): said.strip() for name, _, said in lines}
    return repr([platform.machine(), *(told.get(name) for name in _OF_PROCESSOR)])


def _described(kind: Any) -> list[Any] | None:
    """An argument's type in Numba's words; None for a number."""
    if not hasattr(kind, "ndim"):
        return None
    return [np.dtype(str(kind.dtype).replace("boolean", "bool")).str, kind.ndim, kind.mutable]


def _loaded(content: bytes, function: FunctionType) -> KeptFunction:
    size = int.from_bytes(content[:_HEAD_BYTES], "little")
    head, found = (
        json.loads(content[_HEAD_BYTES : _HEAD_BYTES + size]),
        content[_HEAD_BYTES + size :],
    )
    if hashlib.sha256(found).hexdigest() != head["sha256"]:
        raise ValueError("the file is damaged")
    making = _extension("numba._dynfunc")
    environment = making.Environment(function.__globals__)
    environment.consts[:] = map(np.dtype, head["constants"])
    code = ObjectCode(found, _outside, {head["environment"]: id(environment)})
    wrapper = code.addresses[head["wrapper"]]
    module, doc = ModuleType(function.__module__), function.__doc__ or ""
    call = making.make_function(module, function.__name__, doc, wrapper, environment, (code,))
    arguments = [one and _Argument(np.dtype(one[0]), *one[1:]) for one in head["arguments"]]
    return KeptFunction(call, function.__name__, arguments)


class KeptFunction:
    """Machine code that was kept. It trusts what it gets, so that arguments are looked at before.

    Args:
        call: Numba's wrapper.
        name: of the function.
        wanted: its arguments, None for a number.
    """

    def __init__(
        self, call: Callable[..., Any], name: str, wanted: Sequence[_Argument | None]
    ) -> None:
        self._call = call
        self._name = name
        self._arrays = [(place, *one) for place, one in enumerate(wanted) if one is not None]

    def __call__(self, *arguments: Any) -> Any:
        """Run it.

        Raises:
            TypeError: an array is not one of those that it takes.
        """
        return self.looked_at(*arguments)(*arguments)

    def looked_at(self, *arguments: Any) -> Callable[..., Any]:
        """The same for whoever goes on calling it with these arrays: they are looked at once.

        Raises:
            TypeError: see above.
        """
        for place, dtype, dimensions, is_written in self._arrays:
            array = arguments[place]
            flags = array.flags
            if (
                array.dtype != dtype
                or array.ndim != dimensions
                or not flags.c_contiguous
                or (is_written and not flags.writeable)
            ):
                raise TypeError(
                    f"{self._name} takes as argument {place} a contiguous array of {dimensions} "
                    f"dimensions and type {dtype}{' to write to' if is_written else ''}, "
                    f"not one of {array.ndim} and {array.dtype} with flags\n{flags}"
                )
        return self._call


@cache
def _extension(name: str) -> Any:
    """One of Numba's modules in C, without Numba where that is not imported anyway."""
    if "numba" in sys.modules:
        return import_module(name)
    if name in sys.modules:
        return sys.modules[name]
    numba = find_spec("numba")
    if numba is None or numba.origin is None:
        raise ImportError("numba is not installed")
    stem = Path(numba.origin).parent.joinpath(*name.split(".")[1:])
    (path,) = (
        path for end in EXTENSION_SUFFIXES if (path := stem.with_name(stem.name + end)).exists()
    )
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _helpers() -> Mapping[str, int]:
    """Where Numba's functions in C are, by the names that its machine code uses."""
    return {
        prefix + name: address
        for module, prefix in _EXTENSIONS.items()
        for name, address in _extension(module).c_helpers.items()
    }


_constants: dict[int, Any] = {}


def _unpickled(place: int, size: int, _digest: int) -> Any:
    """A constant object of the machine code, such as the class of arrays, made once.

    Numba's own function for it imports Numba.
    """
    if place not in _constants:
        _constants[place] = pickle.loads(ctypes.string_at(place, size))  # noqa: S301 (ours)
    return _constants[place]


_unpickle = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    _unpickled
)


@cache
def _outside(name: str) -> int:
    """Where something is that an object file refers to."""
    if name == "numba_unpickle":
        return _address(_unpickle)
    if name == "_Py_NoneStruct":
        return id(None)
    if name.startswith("PyExc_"):
        return id(getattr(builtins, name.removeprefix("PyExc_")))
    found = _helpers().get(name)
    if found is not None:
        return found
    return _address(getattr(ctypes.CDLL(None), name))


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
