"""The service's data directory with the shop in it and two versions of its model; kept.

<folder>/
  tables-<size>/                 the simulated tables
  base-<size>-<word>/            a data directory; the word changes with what is in it
  work-<process>/                a copy, whose files that never change are the same ones
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.measuring import in_fresh_process
from benchmarks.serving.process import Server, free_port, running
from benchmarks.serving.shop import ASKED, DATASET, SOMEBODY, TABLES, Shop
from model.artifact import FORMAT_VERSION
from model.events.mapped_files import MappedFiles
from model.events.storage import SCHEMA_VERSION

_IMPORT_S = 300.0
_FIRST_S = 60.0
_CHANGING = "ssmtl.sqlite3"
Told = Callable[[str], None]


@dataclass(frozen=True)
class Ground:
    """A data directory that may be changed, and the tables that are in it."""

    data_dir: Path
    tables: Path

    @property
    def artifact(self) -> Path:
        """The folder of a model version."""
        return self.data_dir / "models" / "benchmark-1"

    @property
    def index(self) -> Path:
        """The folder of the event index."""
        (found,) = self.data_dir.glob("datasets/*/index-*")
        return found

    @contextmanager
    def service(
        self, *, noop: bool = False, worker: bool = False, job_threads: int | None = None
    ) -> Iterator[Server]:
        """`ssmtl serve` on it, or the same with the constant route; it has answered once."""
        port = free_port()
        module = ["benchmarks.serving.served"] if noop else ["app", "serve"]
        with running(
            [sys.executable, "-m", *module],
            port,
            "/readyz",
            self.data_dir / "serve.log",
            _settings(self.data_dir, port, worker=worker, job_threads=job_threads),
        ) as server:
            if (self.data_dir / "models").exists():
                path = f"/v1/datasets/{DATASET}/tasks/{ASKED}/predictions/{SOMEBODY}"
                httpx.get(server.address + path, timeout=_FIRST_S).raise_for_status()
            yield server


@contextmanager
def ground(folder: Path, shop: Shop, tell: Told) -> Iterator[Ground]:
    """A fresh copy of the prepared directory, removed afterwards.

    Args:
        folder: where tables and directory are kept from one run to the next.
        shop: what is prepared.
        tell: is told what is being made.
    """
    tables = folder / f"tables-{shop.size}"
    if not tables.exists():
        _made(tables, shop.write_tables, "simulate the shop", tell)
    base = folder / f"base-{shop.size}-{_word(shop)}"
    if not base.exists():
        _made(base, lambda path: _prepare(path, tables, shop), "import it and train", tell)
    work = folder / f"work-{os.getpid()}"
    try:
        shutil.copytree(base, work, copy_function=_copy)
        _cached_as_after_an_import(work)
        yield Ground(work, tables)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _cached_as_after_an_import(folder: Path) -> None:
    """So that the system's cache has all files, in large pages where it knows them.

    That is how files lie there that were just written in large pieces. Files that were read here
    and there lie in small pages until they are thrown out, and each page costs whoever maps it.
    """
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with MappedFiles().map(path) as pages:
                pages[:: mmap.PAGESIZE]  # looks at each


def _made(path: Path, make: Callable[[Path], None], name: str, tell: Told) -> None:
    begun = time.monotonic()
    unfinished = path.with_name(f"{path.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(unfinished)
    unfinished.rename(path)
    tell(f"{name}: {time.monotonic() - begun:.0f} s")


def _prepare(data_dir: Path, tables: Path, shop: Shop) -> None:
    """Import and declare over HTTP; train in a process of its own."""
    data_dir.mkdir()
    with Ground(data_dir, tables).service() as server:
        client = httpx.Client(base_url=f"{server.address}/v1", timeout=_IMPORT_S)
        with client:
            _checked(client.post("/datasets", json={"name": DATASET}))
            for table in TABLES:
                _import(client, table, tables / f"{table}.parquet")
            for task in shop.tasks:
                declaration = task.declaration.model_dump(mode="json")
                _checked(client.put(f"/datasets/{DATASET}/tasks/{task.name}", json=declaration))
    in_fresh_process("benchmarks.serving.training", data_dir, "--shop", shop.to_json())


def _import(client: httpx.Client, table: str, path: Path) -> None:
    with path.open("rb") as file:
        answer = client.post(
            f"/datasets/{DATASET}/imports",
            params={"table": table, "format": "parquet"},
            content=file,
        )
    _checked(answer)


def _checked(answer: httpx.Response) -> None:
    if answer.is_error:
        raise RuntimeError(f"{answer.request.url}: {answer.status_code} {answer.text}")


def _settings(
    data_dir: Path, port: int, *, worker: bool, job_threads: int | None
) -> Mapping[str, str]:
    chosen = {} if job_threads is None else {"SSMTL_JOB_THREADS": str(job_threads)}
    return {
        **chosen,
        "SSMTL_DATA_DIR": str(data_dir),
        "SSMTL_PORT": str(port),
        "SSMTL_EMBEDDED_WORKER": str(worker),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "",  # as installed, where the first start has compiled it
    }


def _copy(source: str, target: str) -> None:
    """The database changes; all other files never do."""
    if Path(source).name.startswith(_CHANGING):
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def _word(shop: Shop) -> str:
    """Of what the directory depends on."""
    made_from = (FORMAT_VERSION, SCHEMA_VERSION, shop.to_json())
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]
