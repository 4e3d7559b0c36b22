"""The users of a simulated shop: when they join and leave, how often they come, what they like.

The attributes of the user table (country, age, signup channel, newsletter) shift the latent
rates, so that a new user can be told from another by the table alone, to some degree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.simulation.catalogue import CATEGORIES

EARLY_SHARE = 0.4
"""Share of the users who are there on the first day; the others join later, evenly."""
CHURN_PER_DAY = 1 / 450
ACTIVATION_PER_DAY = 0.02
VISITS_PER_ACTIVE_DAY = 0.45


class Country(NamedTuple):
    """Where users live."""

    name: str
    share: float
    log_engagement: float


class Channel(NamedTuple):
    """How users came to the shop."""

    name: str
    share: float
    log_engagement: float
    log_churn: float


COUNTRIES = (
    Country("GB", 0.45, 0.2),
    Country("DE", 0.2, 0.0),
    Country("FR", 0.15, -0.2),
    Country("NL", 0.1, 0.3),
    Country("PL", 0.07, -0.3),
    Country("JP", 0.03, 0.1),
)
CHANNELS = (
    Channel("organic", 0.35, 0.2, -0.4),
    Channel("search", 0.25, 0.0, 0.0),
    Channel("advert", 0.25, -0.4, 0.8),
    Channel("referral", 0.15, 0.4, -0.7),
)


@dataclass(frozen=True)
class People:
    """Latent parameters of the users, and what of them the user table may tell."""

    join_day_U: npt.NDArray[np.int64]
    churn_U: npt.NDArray[np.float64]
    """Chance a day to leave for good."""
    activation_U: npt.NDArray[np.float64]
    """Chance a day to turn from quiet to active."""
    visits_U: npt.NDArray[np.float64]
    """Visits expected on an active day."""
    buying_U: npt.NDArray[np.float64]
    """Shift of the log odds that a view leads to a cart and a cart to a purchase."""
    affinity_UC: npt.NDArray[np.float32]
    """Share of interest in each category; a row sums to one."""
    country_U: npt.NDArray[np.int64]
    channel_U: npt.NDArray[np.int64]
    age_U: npt.NDArray[np.float64]
    newsletter_U: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        """How many users there are."""
        return len(self.join_day_U)


def draw_people(users: int, days: int, rng: np.random.Generator) -> People:
    """Draw the users; rates are log-normal around what the attributes tell.

    Raises:
        ValueError: `users` is below one.
    """
    if users < 1:
        raise ValueError(f"users must be at least 1, not {users}")
    country_U = rng.choice(len(COUNTRIES), users, p=[c.share for c in COUNTRIES])
    channel_U = rng.choice(len(CHANNELS), users, p=[c.share for c in CHANNELS])
    age_U = np.clip(rng.normal(42, 14, users), 18, 90)
    newsletter_U = rng.random(users) < 0.4
    engagement_U = np.exp(
        np.array([c.log_engagement for c in COUNTRIES])[country_U]
        + np.array([c.log_engagement for c in CHANNELS])[channel_U]
        + rng.normal(0, 0.7, users)
    )
    log_churn_U = np.array([c.log_churn for c in CHANNELS])[channel_U] + rng.normal(0, 0.6, users)
    late_U = rng.random(users) >= EARLY_SHARE
    return People(
        join_day_U=np.where(late_U, rng.integers(0, days, users), 0),
        churn_U=np.clip(CHURN_PER_DAY * np.exp(log_churn_U), 0, 0.5),
        activation_U=np.clip(ACTIVATION_PER_DAY * engagement_U, 0, 0.5),
        visits_U=VISITS_PER_ACTIVE_DAY * np.sqrt(engagement_U),
        buying_U=0.5 * newsletter_U + rng.normal(0, 0.6, users),
        affinity_UC=_draw_affinity((age_U - 42) / 14, country_U, rng),
        country_U=country_U,
        channel_U=channel_U,
        age_U=age_U,
        newsletter_U=newsletter_U,
    )


def _draw_affinity(
    age_U: npt.NDArray[np.float64],
    country_U: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Softmax over categories of: shop-wide interest, standardised age, country, own taste."""
    C = len(CATEGORIES)
    taste_of_country = rng.normal(0, 0.3, (len(COUNTRIES), C))
    logit_UC = (
        np.log([category.share for category in CATEGORIES])
        + age_U[:, None] * np.array([category.age_pull for category in CATEGORIES])
        + taste_of_country[country_U]
        + rng.normal(0, 1.0, (len(age_U), C))
    )
    weight_UC = np.exp(logit_UC)
    affinity_UC: npt.NDArray[np.float32] = (
        weight_UC / weight_UC.sum(axis=1, keepdims=True)
    ).astype(np.float32)
    return affinity_UC
