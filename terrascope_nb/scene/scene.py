"""Scene and Image: what a reasoner is asked about, in memory, on the ground's true grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import GridMismatch, InvalidInput, NotFound
from terrascope_nb.geo.aoi import AOI
from terrascope_nb.geo.grid import Grid
from terrascope_nb.scene.domain import Domain

if TYPE_CHECKING:
    from terrascope_nb.scene.render import View

MODALITIES = ("optical", "sar")


@dataclass(frozen=True, eq=False)
class Image:
    """One acquisition of one sensor on one grid, read into memory.

    Attributes
    ----------
    bands : xarray.Dataset
        Variables by STAC common name (blue green red nir nir08 rededge1…3 swir16 swir22 coastal, or vv vh), each
        (y, x) float32, NaN where there is no data. Coordinates are pixel centres where there is a CRS.
    modality : "optical" or "sar"
    grid : Grid
    units : str
        Optical: ``"reflectance"`` (0…1), ``"dn"`` (uncalibrated numbers: ratios only) or ``"rgb8"`` (a picture, 0…255).
        SAR: ``"linear"`` (power; the sensor says which of sigma0, gamma0).
    time : numpy.datetime64 or None
        Acquisition, UTC, to the second.
    cloud : numpy.ndarray or None
        (H, W) bool from a cloud layer that came with the data (SCL, QA), or None: then every pixel with data
        counts as clear and `notes` says so.
    sensor : str
        Name in the sensor table, or «» when it is not known.
    sources : tuple of str
        Item ids or file names, without tokens.
    notes : tuple of str
        What was done to the pixels, one plain sentence each: scaling, resampling, fusing, blanking.
    blanked : bool
        True after `Scene.blank`: bands are a constant, and the image must not count as evidence.
    """

    bands: xr.Dataset
    modality: str
    grid: Grid
    units: str = "reflectance"
    time: np.datetime64 | None = None
    cloud: np.ndarray | None = None
    sensor: str = ""
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    blanked: bool = False

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise InvalidInput(unknown("modality", self.modality, MODALITIES))
        allowed = ("reflectance", "dn", "rgb8") if self.modality == "optical" else ("linear",)
        if self.units not in allowed:
            raise InvalidInput(unknown(f"{self.modality} unit", self.units, allowed))
        if not len(self.bands.data_vars):
            raise InvalidInput("an image needs at least one band")
        for name, band in self.bands.data_vars.items():
            if band.shape != self.grid.shape:
                raise GridMismatch(f"band {name!r} has shape {band.shape}, its grid has {self.grid.shape}")
        if self.cloud is not None and self.cloud.shape != self.grid.shape:
            raise GridMismatch(f"the cloud mask has shape {self.cloud.shape}, the image's grid has {self.grid.shape}")
        if self.time is not None:
            object.__setattr__(self, "time", np.datetime64(self.time, "s"))

    def array(self, name: str) -> np.ndarray:
        """One band as (H, W) float32.

        Raises
        ------
        NotFound
            When the image has no such band; the message lists those it has.
        """
        if name not in self.bands:
            raise NotFound(unknown(f"{self.modality} band", name, map(str, self.bands.data_vars)))
        return self.bands[name].values

    def arrays(self) -> dict[str, np.ndarray]:
        """All bands, name → (H, W) float32."""
        return {str(k): v.values for k, v in self.bands.data_vars.items()}

    @cached_property
    def valid(self) -> np.ndarray:
        """(H, W) bool: every band has data."""
        out = np.ones(self.grid.shape, bool)
        for band in self.bands.data_vars.values():
            out &= np.isfinite(band.values)
        return out

    @cached_property
    def clear(self) -> np.ndarray:
        """(H, W) bool: has data and is not under cloud, as far as a cloud layer told."""
        return self.valid if self.cloud is None else self.valid & ~self.cloud

    @cached_property
    def view(self) -> View:
        """The 8-bit picture that a model sees, with its stretch recorded (`render.render`)."""
        from terrascope_nb.scene.render import render

        return render(self)

    @property
    def day(self) -> str:
        """The date as ``YYYY-MM-DD``, or «undated»."""
        return "undated" if self.time is None else str(self.time)[:10]

    def window(self, rows: slice, cols: slice) -> Image:
        """The part ``[rows, cols]``."""
        return replace(
            self,
            bands=self.bands.isel(dict(zip(_dims(self.bands), (rows, cols), strict=True))),
            grid=self.grid.window(rows, cols),
            cloud=None if self.cloud is None else self.cloud[rows, cols],
        )

    def __repr__(self) -> str:
        bands = " ".join(map(str, self.bands.data_vars))
        blank = ", blanked" if self.blanked else ""
        return f"<Image {self.modality} {self.day} [{bands}] {self.units}{blank} {self.grid!r}>"


def _dims(ds: xr.Dataset) -> tuple[Any, Any]:
    dims = next(iter(ds.data_vars.values())).dims
    return dims[0], dims[1]


@dataclass(frozen=True)
class Moment:
    """One date of a scene: index of its optical and of its SAR image in `Scene.images`, either may be None."""

    optical: int | None
    sar: int | None

    @property
    def image(self) -> int:
        """The image that masks of this date are drawn on: the optical one where there is one."""
        return self.sar if self.optical is None else self.optical  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Scene:
    """The images of one place. Build it with `load_scene`, `samples.load` or a `from_…` method.

    Attributes
    ----------
    images : tuple of Image
        Optical first, each in order of time; a trace's `step.image` is an index into it.
    aoi : AOI or None
        Figures are of clear pixels whose *centre* is inside; None: the whole grid.
    name : str
    notes : tuple of str
        What a reader must know of the whole: gaps, dates left out.
    """

    images: tuple[Image, ...]
    aoi: AOI | None = None
    name: str = ""
    notes: tuple[str, ...] = ()
    _inside: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.images:
            raise InvalidInput("a scene needs at least one image")
        order = sorted(
            self.images,
            key=lambda i: (
                MODALITIES.index(i.modality),
                i.time is None,
                i.time if i.time is not None else np.datetime64(0, "s"),
            ),
        )
        object.__setattr__(self, "images", tuple(order))
        object.__setattr__(self, "_inside", {})
        grids = {i.grid for i in self.images if i.grid.crs is not None}
        if len(grids) > 1:
            raise GridMismatch(
                f"images of one scene share one grid, these do not: {', '.join(map(repr, grids))}. Load them onto one, "
                "e.g. ts.open_cube(found, grid=grid) or cube.rio.reproject_match(other)"
            )

    # ---- builders (each in its own module) --------------------------------------------------------------------
    @classmethod
    def from_cubes(cls, optical: xr.Dataset | None = None, sar: xr.Dataset | None = None, **options: Any) -> Scene:
        """Build from cubes as `open_cube` gives them; see `terrascope_nb.scene.build.from_cubes`. Reads the pixels."""
        from terrascope_nb.scene.build import from_cubes

        return from_cubes(optical, sar, **options)

    @classmethod
    def from_files(cls, optical: Any = None, sar: Any = None, **options: Any) -> Scene:
        """Build from GeoTIFF, JP2, PNG or JPEG files; see `terrascope_nb.scene.files.from_files`. Reads the pixels."""
        from terrascope_nb.scene.files import from_files

        return from_files(optical, sar, **options)

    @classmethod
    def from_arrays(cls, optical: Any = None, sar: Any = None, **options: Any) -> Scene:
        """Build from DataArrays or numpy arrays; see `terrascope_nb.scene.build.from_arrays`."""
        from terrascope_nb.scene.build import from_arrays

        return from_arrays(optical, sar, **options)

    # ---- views ------------------------------------------------------------------------------------------------
    @property
    def grid(self) -> Grid:
        """The grid that all images share.

        Raises
        ------
        GridMismatch
            When they do not (only images without CRS may differ).
        """
        grids = list(dict.fromkeys(i.grid for i in self.images))
        if len(grids) > 1:
            raise GridMismatch(f"the images of this scene have {len(grids)} grids: {', '.join(map(repr, grids))}")
        return grids[0]

    @property
    def modalities(self) -> tuple[str, ...]:
        """The sensors' kinds that are there: ``("optical",)``, ``("sar",)`` or both."""
        return tuple(m for m in MODALITIES if any(i.modality == m for i in self.images))

    def moments(self, max_gap: np.timedelta64 | None = None) -> tuple[Moment, ...]:
        """The dates in order: each optical image with the SAR image nearest in time (`max_gap`: 6 days).

        Without optical images, one moment a SAR image. Undated images go together in their order.
        """
        gap = np.timedelta64(6, "D") if max_gap is None else max_gap
        optical = [k for k, i in enumerate(self.images) if i.modality == "optical"]
        sar = [k for k, i in enumerate(self.images) if i.modality == "sar"]
        if not optical:
            return tuple(Moment(None, k) for k in sar)
        out = []
        for n, k in enumerate(optical):
            mine, best = self.images[k], None
            dated = [s for s in sar if self.images[s].time is not None]
            if mine.time is not None and dated:
                near = min(dated, key=lambda s: abs(self.images[s].time - mine.time))
                best = near if abs(self.images[near].time - mine.time) <= gap else None
            elif len(sar) == len(optical):
                best = sar[n]
            out.append(Moment(k, best))
        return tuple(out)

    def inside(self, image: int) -> np.ndarray:
        """(H, W) bool: pixels of an image whose centre lies in the AOI (all of them without an AOI)."""
        if image not in self._inside:
            grid = self._image(image).grid
            self._inside[image] = (
                np.ones(grid.shape, bool) if self.aoi is None or grid.crs is None else grid.mask(self.aoi)
            )
        return self._inside[image]

    def domain(self, image: int, sar_image: int | None = None) -> Domain:
        """Where figures of an image may be taken from: clear pixels inside the AOI.

        With `sar_image`, pixels that the radar sees count as clear too.
        """
        one = self._image(image)
        valid, clear = one.valid, one.clear
        if sar_image is not None and sar_image != image:
            other = self._image(sar_image)
            if other.grid != one.grid:
                raise GridMismatch(f"images {image} and {sar_image} lie on two grids: {one.grid!r}, {other.grid!r}")
            valid, clear = valid | other.valid, clear | other.clear
        return Domain(one.grid, self.inside(image), valid, clear)

    def select(
        self, modalities: Sequence[str] | str | None = None, times: Sequence[Any] | Any = None, aoi: AOI | None = None
    ) -> Scene:
        """The scene of the images that fit: sensor kinds, dates (``"2023-07"``: the month), a smaller AOI (cropped)."""
        images = self.images
        if modalities is not None:
            wanted = (modalities,) if isinstance(modalities, str) else tuple(modalities)
            for m in wanted:
                if m not in MODALITIES:
                    raise InvalidInput(unknown("modality", m, MODALITIES))
            images = tuple(i for i in images if i.modality in wanted)
        if times is not None:
            stamps = [times] if isinstance(times, str) or not isinstance(times, Sequence) else list(times)
            texts = [str(t).replace(" ", "T") for t in stamps]
            missing = [t for t in texts if not any(str(i.time).startswith(t) for i in images)]
            if missing:
                raise NotFound(
                    f"no image of {', '.join(missing)}; this scene has {', '.join(sorted({i.day for i in images}))}"
                )
            images = tuple(i for i in images if any(str(i.time).startswith(t) for t in texts))
        if not images:
            raise NotFound(f"no {modalities} image in this scene; it has {', '.join(self.modalities)}")
        scene = replace(self, images=images, aoi=self.aoi if aoi is None else aoi)
        return scene if aoi is None else scene._crop(aoi)

    def _crop(self, aoi: AOI) -> Scene:
        cropped = []
        for k, image in enumerate(self.images):
            rows, cols = np.nonzero(self.inside(k))
            if not rows.size:
                raise InvalidInput(f"{aoi!r} holds no pixel centre of {image.grid!r} (bounds {image.grid.bounds})")
            cropped.append(image.window(slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1)))
        return replace(self, images=tuple(cropped), aoi=aoi)

    def blank(self, modality: str) -> Scene:
        """The scene with one sensor blanked: each band is the mean of its valid view, and the image is marked.

        Ask again with it to see whether the sensor was used.
        """
        if modality not in self.modalities:
            raise NotFound(unknown("modality of this scene", modality, self.modalities))
        return replace(self, images=tuple(_blank(i) if i.modality == modality else i for i in self.images))

    def _image(self, index: int) -> Image:
        if not 0 <= index < len(self.images):
            raise InvalidInput(f"image {index} of a scene with {len(self.images)} images (0 … {len(self.images) - 1})")
        return self.images[index]

    def __repr__(self) -> str:
        label = f" {self.name!r}" if self.name else ""
        lines = "\n".join(f"  {k}: {i!r}" for k, i in enumerate(self.images))
        return f"<Scene{label}, {len(self.images)} image{'s' if len(self.images) > 1 else ''}>\n{lines}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        from terrascope_nb.scene.overlay import scene_mimebundle

        return scene_mimebundle(self)


def _blank(image: Image) -> Image:
    from terrascope_nb.scene.render import mean_of_view

    valid = image.valid
    if not valid.any():
        raise InvalidInput(f"{image!r} has no valid pixel: there is nothing to blank")
    bands = image.bands.copy()
    for name, band in image.bands.data_vars.items():
        flat = np.where(valid, np.float32(mean_of_view(image, str(name))), np.float32("nan"))
        bands[name] = band.copy(data=flat)
    note = "blanked: every valid pixel is the mean of its band's view"
    return replace(image, bands=bands, blanked=True, notes=(*image.notes, note))
