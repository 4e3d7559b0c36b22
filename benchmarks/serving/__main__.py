"""What a prediction costs over HTTP, beside a route that does nothing and beside other servers.

A simulated shop of 100,000 users and 50,000 items with sixteen tasks, imported and served by
`ssmtl serve` on this machine; load over loopback from a core of its own. Rates are medians of runs
that alternate with what they are compared with. Peers are installed from PyPI when they are asked
for. Everything that takes long to make is kept in a folder for the next time.

    python -m benchmarks.serving [--without-peers] [--only PART ...] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measuring import in_fresh_process, machine
from benchmarks.serving.bars import BARS, is_met
from benchmarks.serving.batches import batches
from benchmarks.serving.bulk import bulk
from benchmarks.serving.footprint import footprint
from benchmarks.serving.ground import Ground, ground
from benchmarks.serving.load import GENERATOR
from benchmarks.serving.peers.contest import beside_peers
from benchmarks.serving.shop import Shop
from benchmarks.serving.singles import (
    beside_noop,
    freshness,
    own_load_limit,
    single_requests,
    under_batches,
)
from benchmarks.serving.swaps import swaps

PARTS = (
    "start",
    "singles",
    "under batches",
    "batches",
    "bulk",
    "fresh",
    "swaps",
    "engine",
    "peers",
)
_ROUNDS, _SECONDS = 5, 2.0
_FEW_ROUNDS = 3
Figures = Mapping[str, float]


def main() -> None:
    """Print the table and write the figures."""
    given = _arguments()
    console = Console()
    chosen = given.only or [part for part in PARTS if part != "peers" or not given.without_peers]
    bench = Bench(given.folder, Shop(), console)
    figures = bench.run(chosen)
    told = {**machine("onnxruntime", "uvicorn", "fastapi"), "load generator": GENERATOR}
    _print(console, figures, told)
    if given.json is not None:
        given.json.write_text(json.dumps({"figures": figures, "machine": told}, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--json", type=Path, default=None, help="where to write the figures")
    parser.add_argument("--without-peers", action="store_true", help="install and ask no peers")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts alone")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir()) / "ssmtl-benchmarks" / "serving",
        help="where shop, model and peers are kept from one run to the next",
    )
    return parser.parse_args()


class Bench:
    """The parts on one shop.

    Args:
        folder: where things are kept.
        shop: the shop.
        console: is told how it goes.
        rounds: of each run that is compared.
        seconds: of a load.
    """

    def __init__(
        self,
        folder: Path,
        shop: Shop,
        console: Console,
        rounds: int = _ROUNDS,
        seconds: float = _SECONDS,
    ) -> None:
        self._folder = folder
        self._shop = shop
        self._console = console
        self._rounds = rounds
        self._few = min(rounds, _FEW_ROUNDS)
        self._seconds = seconds

    def run(self, chosen: list[str]) -> dict[str, float]:
        """The figures of some of `PARTS`."""
        figures: dict[str, float] = {}
        with ground(self._folder, self._shop, self._console.print) as place:
            for part in PARTS:
                if part in chosen:
                    begun = time.monotonic()
                    found = self._parts()[part](place)
                    taken_s = time.monotonic() - begun
                    self._console.print(f"{part}: {taken_s:.0f} s", _shown(found))
                    figures |= found
        return figures

    def _parts(self) -> Mapping[str, Callable[[Ground], Figures]]:
        return {
            "start": lambda place: footprint(place, single_requests(place), self._few),
            "singles": self._singles,
            "under batches": self._under_batches,
            "batches": self._batches,
            "bulk": lambda place: bulk(place, self._few),
            "fresh": self._fresh,
            "swaps": self._swaps,
            "engine": self._engine,
            "peers": self._peers,
        }

    def _singles(self, place: Ground) -> Figures:
        with place.service(noop=True) as server:
            requests = single_requests(place)
            figures = beside_noop(server, requests, self._rounds, self._seconds)
            return {**figures, **own_load_limit(server, self._seconds)}

    def _under_batches(self, place: Ground) -> Figures:
        with place.service() as server:
            requests = single_requests(place)
            return under_batches(server, place, requests, self._few, self._seconds)

    def _batches(self, place: Ground) -> Figures:
        with place.service() as server:
            return batches(server, place, self._rounds)

    def _fresh(self, place: Ground) -> Figures:
        with place.service() as server:
            return freshness(server)

    def _swaps(self, place: Ground) -> Figures:
        with place.service() as server:
            return swaps(server, single_requests(place))

    def _engine(self, place: Ground) -> Figures:
        module, folders = "benchmarks.serving.forward", (place.artifact, place.index)
        found: Figures = in_fresh_process(module, "engine", *folders, threads=1).answer
        return found

    def _peers(self, place: Ground) -> Figures:
        with place.service() as server:
            requests = single_requests(place)
            return beside_peers(server, requests, place, self._folder, self._few, self._seconds)


def _shown(figures: Figures) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _print(console: Console, figures: Figures, told: Mapping[str, str]) -> None:
    table = Table("figure", "value", "bar", "met", title="Predictions served")
    for name, value in figures.items():
        bar = BARS.get(name)
        met = "" if bar is None else ("yes" if is_met(bar, value) else "no")
        table.add_row(name, f"{value:,.4g}", "" if bar is None else f"{bar.sign} {bar.value}", met)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in told.items()))


if __name__ == "__main__":
    main()
