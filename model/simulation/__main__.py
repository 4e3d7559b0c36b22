"""`python -m model.simulation`: a simulated shop as three CSV files."""

from __future__ import annotations

import argparse
from pathlib import Path

from model.simulation.shop import simulate_shop


def main() -> None:
    """Write events.csv, users.csv and items.csv."""
    parser = argparse.ArgumentParser(prog="python -m model.simulation", description=__doc__)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    given = parser.parse_args()
    shop = simulate_shop(given.users, given.items, given.days, given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in ("events", "users", "items"):
        getattr(shop, name).to_csv(given.out / f"{name}.csv", index=False)


main()
