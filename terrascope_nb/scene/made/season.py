"""Time of year: what grows, what is cut, and how high the sun stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LATITUDE = 46.0  # of all made scenes, degrees north
#: Season → months it begins and ends in (northern hemisphere), and how often a field of crops is in each stage of
#: `STAGES`.
STAGES = ("bare field", "emerging crop", "green crop", "ripe crop", "stubble")
SEASONS: dict[str, tuple[tuple[int, int], tuple[float, ...]]] = {
    "winter": ((12, 2), (0.40, 0.32, 0.13, 0.00, 0.15)),
    "spring": ((3, 5), (0.22, 0.28, 0.50, 0.00, 0.00)),
    "summer": ((6, 8), (0.10, 0.10, 0.42, 0.25, 0.13)),
    "autumn": ((9, 11), (0.32, 0.22, 0.18, 0.06, 0.22)),
}


@dataclass(frozen=True)
class Day:
    """The day of one acquisition.

    Attributes
    ----------
    season : str
        A key of `SEASONS`.
    time : str
        ISO date.
    elevation, azimuth : float
        Of the sun at about 10:30 solar time, degrees; azimuth clockwise from north.
    moisture : float
        Of open soil, 0 dry … 1 wet.
    """

    season: str
    time: str
    elevation: float
    azimuth: float
    moisture: float


def sun(time: str, latitude: float = LATITUDE) -> tuple[float, float]:
    """Elevation and azimuth of the sun in degrees at 10:30 solar time (declination: Cooper 1969).

    Examples
    --------
    >>> [round(x) for x in sun("2023-06-21")], [round(x) for x in sun("2023-12-21")]
    ([61, 134], [18, 158])
    """
    day = np.datetime64(time, "D")
    number = int((day - day.astype("datetime64[Y]")).astype(int)) + 1
    declination = np.radians(23.45 * np.sin(2 * np.pi * (284 + number) / 365))
    hour, at = np.radians(-22.5), np.radians(latitude)
    height = np.arcsin(np.sin(at) * np.sin(declination) + np.cos(at) * np.cos(declination) * np.cos(hour))
    bearing = np.arctan2(np.sin(hour), np.cos(hour) * np.sin(at) - np.tan(declination) * np.cos(at))
    return float(np.degrees(height)), float(np.degrees(bearing) + 180)


def draw_day(rng: np.random.Generator, season: str, after: str | None = None) -> Day:
    """A day of a season in 2017…2024; with `after`, the first such day at least ten days later."""
    first = SEASONS[season][0][0]
    offset = int(rng.integers(0, 88))
    if after is None:
        time = np.datetime64(f"{rng.integers(2017, 2024)}-{first:02d}-01") + offset
    else:
        time = np.datetime64(f"{after[:4]}-{first:02d}-01") + offset
        if first == 12:
            time -= np.timedelta64(366, "D")  # so that a winter can follow in the same year's January
        while time < np.datetime64(after) + 10:
            time += np.timedelta64(365, "D")
    elevation, azimuth = sun(str(time))
    return Day(season, str(time), elevation, azimuth, float(rng.beta(1.6, 2.2)))
