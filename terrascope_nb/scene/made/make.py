"""`made_scene` and `made_damage`: scenes whose truth is known and whose colours were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.classes import canonical
from terrascope_nb.scene.made import render
from terrascope_nb.scene.made.changes import CHANGES, changed, grown, possible, snow_on
from terrascope_nb.scene.made.covers import BURNED, NUMBER, SNOW
from terrascope_nb.scene.made.layouts import LAYOUTS, Ground, lay_out
from terrascope_nb.scene.made.season import SEASONS, Day, draw_day
from terrascope_nb.scene.made.settlement import settle
from terrascope_nb.scene.made.sky import CLOUDS, Sky, draw_sky
from terrascope_nb.scene.scene import Scene
from terrascope_nb.scene.synthetic import LEGEND, Synthetic, _check, _image

NOTE = "made: real spectra on a landscape that was drawn; nothing measured on it speaks about real ground"
MADE_LEGEND = {**LEGEND, BURNED: "burned area"}


@dataclass(frozen=True, eq=False)
class MadeScene(Synthetic):
    """A made scene, its truth, and how it was made.

    Attributes
    ----------
    scene, maps, legend
        As in `Synthetic`. The maps are of the ground, also under cloud; the optical images' own cloud mask marks cloud
        and shadow alike, as a product's does.
    mixed : tuple of numpy.ndarray
        (H, W) float32 a date: share of each pixel's ground, 0…1, that is of another class than the map says.
    clouds, shadows : tuple of numpy.ndarray
        (H, W) bool a date.
    layout, season, change : str
        What was drawn; `season` of the first date, `change` «» for one date.
    """

    mixed: tuple[np.ndarray, ...]
    clouds: tuple[np.ndarray, ...]
    shadows: tuple[np.ndarray, ...]
    layout: str
    season: str
    change: str

    def truth(self, label: str, date: int = 0) -> np.ndarray:
        """(H, W) bool: where a class, a union of classes, «cloud» or «cloud shadow» truly is on a date."""
        of_sky = {"cloud": self.clouds, "cloud shadow": self.shadows}.get(canonical(label))
        if of_sky is None or not 0 <= date < len(of_sky):
            return super().truth(label, date)
        return of_sky[date]


def made_scene(
    rng: np.random.Generator,
    size: int = 128,
    resolution: float = 10.0,
    *,
    layout: str = "mixed",
    season: str | None = None,
    cloud: float = 0.0,
    clouds: str = "both",
    haze: float = 0.0,
    snow: float | None = None,
    sar: bool = True,
    pair: bool = False,
    change: str | None = None,
) -> MadeScene:
    """A landscape of measured colours, on one date or two.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same state gives the same scene, but for the rounding of another machine's linear algebra.
    size : int
        Pixels a side, at least 32.
    resolution : float
        Metres a pixel, of the grid alone: things are drawn and blurred as for 10 m, whatever it is.
    layout : "mixed", "isolated" or "close"
        A whole landscape; objects apart from each other on one background, with gaps of all widths; or two classes
        whose shares differ by 2 to 6 points.
    season : "winter", "spring", "summer", "autumn", optional
        Drawn where it is not given.
    cloud : float
        Share of each date under cloud, 0…1.
    clouds : "thick", "thin" or "both"
    haze : float
        0 clear … 1 an aerosol optical depth of 0.5 at 550 nm.
    snow : float, optional
        Share of the open ground under snow on the first date. By default none, but 10…60 % in half of the
        mixed winters.
    sar : bool
        Add a radar image of each day.
    pair : bool
        Two dates; the second 10 days to 15 months later.
    change : str, optional
        What happens between the dates, one of `CHANGES`, or several joined by «+». By default one that the ground
        allows is drawn. Where the ground lacks what a change needs, nothing happens; `MadeScene.maps` is the truth.

    Raises
    ------
    InvalidInput
        For what is no generator, a size below 32, a share outside 0…1, unknown names, a change without `pair`.
    """
    _check(rng, size, resolution)
    for what, share in (("cloud", cloud), ("haze", haze), ("snow", snow or 0.0)):
        if not 0 <= share <= 1:
            raise InvalidInput(f"{what} is a share, 0…1, got {share}")
    for what, name, known in (("layout", layout, LAYOUTS), ("season", season, SEASONS), ("clouds", clouds, CLOUDS)):
        if name is not None and name not in known:
            raise InvalidInput(unknown(f"{what} of a made scene", name, known))
    wanted = change.split("+") if change else []
    for name in wanted:
        if name not in CHANGES:
            raise InvalidInput(unknown("change of a made scene", name, CHANGES))
    if wanted and not pair:
        raise InvalidInput(f"change={change!r} needs a second date: pass pair=True")

    first = draw_day(rng, season or str(rng.choice(list(SEASONS))))
    ground, seen, covers = _laid_out(rng, size, layout, first, snow)
    stands = ground.stands
    dates = [(first, seen, covers)]
    if pair:
        if not wanted:
            wanted = [str(rng.choice(possible(ground, covers)))]
        white = "snow" in wanted or bool((seen.labels == SNOW).any())  # what is white stays white
        later = draw_day(rng, "winter" if white else str(rng.choice(list(SEASONS))), first.time)
        cells, after, labels = ground.cells, grown(stands, covers, later), seen.labels
        for name in wanted:
            if name != "none":
                cells = changed(ground, cells, after, labels, name)
                after = np.concatenate([after, stands.covers[len(after) :]]).astype(int)
            seen, cells = render.mix(cells, stands.classes(after))
            labels = seen.labels
        dates.append((later, seen, after))
    images: list[Any] = []
    skies: list[Sky | None] = []
    grid = _grid(size, resolution)
    for day, pixels, kinds in dates:
        sky = draw_sky(rng, size, resolution, cloud, clouds, day)
        bands = render.optical(rng, pixels, stands, kinds, day, sky=sky, haze=haze)
        hidden = None if sky is None else sky.cloud | sky.shadow
        images.append(_image(bands, "optical", grid, day.time, hidden, "reflectance"))
        if sar:
            images.append(_image(render.sar(rng, pixels, stands, kinds, day), "sar", grid, day.time, None, "linear"))
        skies.append(sky)
    clear = np.zeros((size, size), bool)
    return MadeScene(
        Scene(tuple(images), name=f"made, {layout}, {first.season}", notes=(NOTE,)),
        tuple(pixels.labels for _, pixels, _ in dates),
        MADE_LEGEND,
        tuple(pixels.mixed for _, pixels, _ in dates),
        tuple(clear if s is None else s.cloud for s in skies),
        tuple(clear if s is None else s.shadow for s in skies),
        layout,
        first.season,
        "+".join(wanted),
    )  # fmt: skip


def _laid_out(
    rng: np.random.Generator, size: int, layout: str, day: Day, snow: float | None
) -> tuple[Ground, render.Seen, np.ndarray]:
    """The ground of the first date, what its pixels hold, and each stand's cover; drawn again until it is as wanted."""
    if snow is None:
        white = day.season == "winter" and layout == "mixed" and rng.random() < 0.5
        snow = float(rng.uniform(0.1, 0.6)) if white else 0.0
    for _ in range(50):
        ground = lay_out(rng, size, layout, day)
        covers = np.array(ground.stands.covers)
        if snow:
            ground.cells = snow_on(ground, ground.cells, covers, snow)
            covers = np.array(ground.stands.covers)
        seen, ground.cells = render.mix(ground.cells, ground.stands.classes(covers))
        if layout != "close" or snow or is_close(seen.labels):
            break
    return ground, seen, covers


def is_close(labels: np.ndarray) -> bool:
    """Whether two of the three largest classes of a map have 8 % of it and more and differ by 2 to 6 points."""
    shares = np.sort(np.bincount(labels.ravel()) / labels.size)[::-1][1:3]
    return bool(shares[1] >= 0.08 and 0.02 <= shares[0] - shares[1] <= 0.06)


def made_damage(
    rng: np.random.Generator,
    size: int = 128,
    resolution: float = 1.0,
    destroyed: float = 0.3,
    season: str | None = None,
) -> MadeScene:
    """A settlement before and after a disaster: roofs of measured materials, some of them rubble on the second date.

    Buildings stand apart by two pixels and more and fill whole pixels, so that each is one 8-connected part.

    Parameters
    ----------
    rng, size, resolution
        As in `made_scene`; drawn for pixels of about a metre.
    destroyed : float
        Share of the buildings, 0…1.
    season : str, optional
        Drawn where it is not given.
    """
    if not 0 <= destroyed <= 1:
        raise InvalidInput(f"destroyed is a share of the buildings, 0…1, got {destroyed}")
    _check(rng, size, resolution)
    if season is not None and season not in SEASONS:
        raise InvalidInput(unknown("season of a made scene", season, SEASONS))
    day = draw_day(rng, season or str(rng.choice(list(SEASONS))))
    later = draw_day(rng, day.season, day.time)
    stands, cells, houses = settle(rng, size)
    covers = np.array(stands.covers)
    lost = rng.permutation(houses)[: round(destroyed * len(houses))]
    after = covers.copy()
    after[lost], after[lost + 1] = NUMBER["rubble"], NUMBER["meadow"]
    images, maps, mixed, grid = [], [], [], _grid(size, resolution)
    for date, kinds in ((day, covers), (later, after)):
        classes = stands.classes(kinds)
        classes[houses] = 101
        if date is later:
            classes[lost] = 102
        pixels, _ = render.mix(cells, classes)
        bands = render.optical(rng, pixels, stands, kinds, date, pixel=60.0)
        images.append(_image(bands, "optical", grid, date.time, None, "reflectance"))
        maps.append(pixels.labels)
        mixed.append(pixels.mixed)
    clear = np.zeros((size, size), bool)
    scene = Scene(tuple(images), name=f"made, damage, {day.season}", notes=(NOTE,))
    return MadeScene(
        scene, tuple(maps), MADE_LEGEND, tuple(mixed), (clear, clear), (clear, clear), "damage", day.season, "damage"
    )  # fmt: skip


def _grid(size: int, resolution: float) -> Grid:
    return Grid(Affine(resolution, 0, 500_000, 0, -resolution, 5_100_000), (size, size), 32633)
