"""The items of a simulated shop: popularity, seasons, refills and returns.

An item's demand over the year follows a von Mises profile,
exp(k cos(2 pi (t - peak) / 365.25)) / I0(k), whose mean over the year is one
(Mardia and Jupp, Directional Statistics, section 3.5.4). Peak and k are the category's plus
the item's own noise, so that the best-selling month of an item can be foretold, though not
for certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

YEAR_DAYS = 365.25


class Category(NamedTuple):
    """What the items of a category have in common."""

    name: str
    share: float  # of the shop's interest, relative to the other categories
    price: float  # median list price
    weight_kg: float  # median
    peak_day: float  # day of the year on which demand is highest
    concentration: float  # k of the seasonal profile, 0 = the same all year
    consumable: bool  # runs out and is bought again
    return_rate: float  # share of purchases that come back
    age_pull: float  # change of a user's log affinity per standard deviation of age


CATEGORIES = (
    Category("coffee", 1.3, 9.0, 0.5, 20, 0.3, True, 0.01, 0.3),
    Category("pet food", 1.1, 18.0, 4.0, 180, 0.1, True, 0.02, 0.1),
    Category("cosmetics", 1.2, 14.0, 0.2, 335, 0.5, True, 0.05, -0.3),
    Category("sun care", 0.6, 11.0, 0.3, 190, 1.8, True, 0.03, -0.1),
    Category("garden", 0.8, 25.0, 2.5, 125, 1.5, False, 0.06, 0.6),
    Category("sports", 0.9, 40.0, 1.2, 160, 0.8, False, 0.12, -0.5),
    Category("fashion", 1.4, 35.0, 0.6, 100, 0.6, False, 0.25, -0.4),
    Category("winter wear", 0.7, 60.0, 1.0, 318, 1.7, False, 0.22, 0.0),
    Category("books", 1.0, 12.0, 0.4, 5, 0.4, False, 0.02, 0.5),
    Category("electronics", 1.0, 120.0, 1.5, 330, 0.9, False, 0.10, -0.4),
    Category("toys", 0.8, 22.0, 0.8, 345, 1.6, False, 0.05, -0.1),
    Category("home", 0.9, 30.0, 2.0, 265, 0.5, False, 0.08, 0.4),
)
BRANDS_PER_CATEGORY = 5
LATE_LAUNCH_SHARE = 0.15


@dataclass(frozen=True)
class Catalogue:
    """Latent parameters of the items, ordered by category."""

    category_I: npt.NDArray[np.int64]
    first_item_C: npt.NDArray[np.int64]
    brand_I: npt.NDArray[np.int64]
    popularity_I: npt.NDArray[np.float64]
    popularity_C: npt.NDArray[np.float64]
    peak_day_I: npt.NDArray[np.float64]
    concentration_I: npt.NDArray[np.float64]
    launch_day_I: npt.NDArray[np.int64]
    list_price_I: npt.NDArray[np.float64]
    weight_kg_I: npt.NDArray[np.float64]
    appeal_I: npt.NDArray[np.float64]
    """Shift of the log odds that a view leads to a cart."""
    refill_days_I: npt.NDArray[np.float64]
    """How long one unit lasts, in days; NaN for what does not run out."""
    return_rate_I: npt.NDArray[np.float64]

    @property
    def size(self) -> int:
        """How many items there are."""
        return len(self.category_I)

    def seasonal_profile(self, day_of_year: float) -> npt.NDArray[np.float64]:
        """Each item's demand on a day of the year, relative to its mean over the year."""
        angle_I = 2 * np.pi * (day_of_year - self.peak_day_I) / YEAR_DAYS
        k_I = self.concentration_I
        profile_I: npt.NDArray[np.float64] = np.exp(k_I * np.cos(angle_I)) / np.i0(k_I)
        return profile_I

    def weight(self, day: int, day_of_year: float) -> npt.NDArray[np.float64]:
        """Popularity times season; zero before an item's launch."""
        return np.where(
            self.launch_day_I <= day, self.popularity_I * self.seasonal_profile(day_of_year), 0.0
        )


def draw_catalogue(items: int, days: int, rng: np.random.Generator) -> Catalogue:
    """Draw the items; popularity within a category falls as a power of the rank.

    Raises:
        ValueError: there are fewer items than categories.
    """
    if items < len(CATEGORIES):
        raise ValueError(f"items must be at least {len(CATEGORIES)}, one a category, not {items}")
    C = len(CATEGORIES)
    spread = rng.multinomial(items - C, np.full(C, 1 / C)) + 1
    category_I = np.repeat(np.arange(C), spread)
    first_item_C = np.cumsum(spread) - spread
    rank_I = np.arange(items) - first_item_C[category_I] + 1
    brand_I = category_I * BRANDS_PER_CATEGORY + rng.integers(0, BRANDS_PER_CATEGORY, items)
    brand_appeal = rng.normal(0, 0.5, C * BRANDS_PER_CATEGORY)[brand_I]
    popularity_I = rank_I**-0.9 * np.exp(rng.normal(0, 0.3, items) + brand_appeal)
    cheapness_I = rng.normal(0, 0.6, items)
    late_I = (rng.random(items) < LATE_LAUNCH_SHARE) & (rank_I > 1)
    consumable_I = _of_category("consumable", category_I) > 0
    return Catalogue(
        category_I=category_I,
        first_item_C=first_item_C,
        brand_I=brand_I,
        popularity_I=popularity_I,
        popularity_C=np.add.reduceat(popularity_I, first_item_C),
        peak_day_I=_of_category("peak_day", category_I) + rng.normal(0, 18, items),
        concentration_I=_of_category("concentration", category_I)
        * np.exp(rng.normal(0, 0.3, items)),
        launch_day_I=np.where(late_I, rng.integers(0, max(1, int(0.7 * days)), items), 0),
        list_price_I=np.round(_of_category("price", category_I) * np.exp(-cheapness_I), 2),
        weight_kg_I=np.round(
            _of_category("weight_kg", category_I) * np.exp(rng.normal(0, 0.5, items)), 3
        ),
        appeal_I=0.4 * cheapness_I + 0.5 * brand_appeal + rng.normal(0, 0.3, items),
        refill_days_I=np.where(consumable_I, rng.uniform(20, 60, items), np.nan),
        return_rate_I=_of_category("return_rate", category_I) * rng.uniform(0.5, 1.5, items),
    )


def _of_category(field: str, category_I: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """A column of `CATEGORIES`, one value an item."""
    return np.array([float(getattr(category, field)) for category in CATEGORIES])[category_I]
