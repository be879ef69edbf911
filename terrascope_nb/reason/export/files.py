"""A trace as files for a GIS: GeoTIFF and GeoJSON; and as xarray and geopandas objects. `item` makes the STAC item.

Every text goes out without secrets (`scrub`) and as characters that any file can hold (`readable`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terrascope_nb.errors import AlreadyThere, GridMismatch, InvalidInput, NoCRS
from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.events import SEG
from terrascope_nb.reason.export.outlines import lonlat, outline
from terrascope_nb.reason.scrub import readable, scrub

if TYPE_CHECKING:
    import geopandas
    import xarray as xr

    from terrascope_nb.reason.trace import Step, Trace

NOT_MEASURED = 255
"""Value of pixels outside the AOI, without data, under cloud, or not judged."""


def target(path: str | Path, overwrite: bool) -> Path:
    """The path to write, its folder made.

    Raises
    ------
    AlreadyThere
        When a file is there and may not be overwritten.
    InvalidInput
        When a folder is there.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder: give the name of a file in it")
    if path.exists() and not overwrite:
        raise AlreadyThere(f"{path} is there already: pass overwrite=True or another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its place when all went well and is removed when not."""
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix[-20:], dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o666 & ~_umask())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def write_text(path: str | Path, text: str, overwrite: bool = False) -> Path:
    """Write UTF-8 text without secrets; returns the path. What was there stays whole until all is written."""
    path = target(path, overwrite)
    with replacing(path) as draft:
        draft.write_text(readable(scrub(text)), encoding="utf-8")
    return path


def mask_values(trace: Trace, step: Step) -> np.ndarray:
    """(H, W) uint8: 1 in the mask, 0 out of it, 255 where nothing was measured (`NOT_MEASURED`)."""
    from terrascope_nb.reason.trace import region_of

    domain = region_of(step, trace.frames).domain
    return np.where(domain.pixels, step.mask.values.astype(np.uint8), np.uint8(NOT_MEASURED))


def one_grid(trace: Trace, what: str) -> Grid:
    """The grid that all steps share, with a CRS; an error that names `what` when there is none."""
    grid = _shared_grid(trace, what)
    if grid.crs is None:
        raise NoCRS(f"the scene has no CRS, so {what} cannot say where it lies; trace.to_xarray() and trace.save() can")
    return grid


def _shared_grid(trace: Trace, what: str) -> Grid:
    if not trace.steps:
        why = f"{trace.answer.finish}: {trace.answer.reason}" if trace.answer.reason else trace.answer.finish
        raise InvalidInput(f"this trace has no mask, so there is nothing for {what} ({why})")
    grids = list(dict.fromkeys(trace.frames[s.image].grid for s in trace.steps))
    if len(grids) > 1:
        raise GridMismatch(
            f"the steps lie on {len(grids)} grids ({', '.join(map(repr, grids))}), {what} needs one: "
            "take each step.mask by itself"
        )
    return grids[0]


# ---- GeoTIFF ----------------------------------------------------------------------------------------------------


def to_geotiff(trace: Trace, path: str | Path, overwrite: bool = False) -> Path:
    """Masks as a Cloud Optimized GeoTIFF, one uint8 band a step (1 in, 0 out, 255 = nodata); returns the path.

    Band descriptions are «1 water 2023-06-01»; tags hold question, answer, sentences and the reasoner.
    """
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    grid = one_grid(trace, "a GeoTIFF")
    path = target(path, overwrite)
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": len(trace.steps), "height": grid.height, "width": grid.width,
        "crs": rasterio.CRS.from_wkt(grid.crs.to_wkt()), "transform": grid.transform, "nodata": NOT_MEASURED,
    }  # fmt: skip
    tags = {"question": trace.question, "answer": trace.answer.text, "reasoner": trace.reasoner}
    with MemoryFile() as memory:
        with memory.open(**profile) as out:
            for band, step in enumerate(trace.steps, 1):
                out.write(mask_values(trace, step), band)
                out.set_band_description(band, _tag(band_name(trace, band - 1)))
                share = "" if step.measured.share is None else f"{step.measured.share:.6f}"
                out.update_tags(band, sentence=_tag(_sentence(step)), label=_tag(step.label), share_percent=share)
            out.update_tags(**{k: _tag(v) for k, v in tags.items()}, software=f"terrascope_nb {version()}")
        with memory.open() as ready, replacing(path) as draft:
            copy(
                ready,
                draft,
                driver="COG",
                compress="DEFLATE",
                overviews="AUTO",
                resampling="NEAREST",
                overview_resampling="NEAREST",
            )
    return path


def band_name(trace: Trace, k: int) -> str:
    """«1 water 2023-06-01»: number, label and date of a step."""
    step = trace.steps[k]
    day = "" if step.time is None else f" {trace.frames[step.image].day}"
    return f"{k + 1} {step.label or 'region'}{day}"


def _tag(text: str) -> str:
    return readable(scrub(text))


def _sentence(step: Step) -> str:
    return " ".join(step.text.replace(" " + SEG, "").replace(SEG, "").split())


# ---- GeoJSON ----------------------------------------------------------------------------------------------------


def features(trace: Trace) -> list[dict[str, Any]]:
    """One GeoJSON feature a step, in longitude and latitude; an empty mask has a null geometry."""
    grid = one_grid(trace, "GeoJSON")
    out = []
    for k, step in enumerate(trace.steps):
        shape = outline(mask_values(trace, step) == 1, grid)
        geometry = None if shape is None else lonlat(shape, grid.crs, max(grid.resolution))
        out.append({"type": "Feature", "id": str(k + 1), "geometry": geometry, "properties": properties(trace, k)})
    return out


def properties(trace: Trace, k: int) -> dict[str, Any]:
    """What a table says of a step; plain JSON values."""
    step = trace.steps[k]
    m = step.measured
    verdicts = [c.verdict for c in trace.claims if k in c.steps]
    return {
        "step": k + 1,
        "label": _tag(step.label),
        "sentence": _tag(_sentence(step)),
        "share_percent": None if m.share is None else round(m.share, 6),
        "area_m2": None if m.area is None else round(m.area, 2),
        "pixels": m.pixels,
        "parts": m.count,
        "clear_share": round(m.clear_share, 6),
        "image": step.image,
        "time": None if step.time is None else f"{step.time}Z",
        "modality": step.modality,
        "sar_share": round(step.sar_share, 4),
        "claims_agree": verdicts.count("agrees"),
        "claims_disagree": verdicts.count("disagrees"),
    }


def to_geojson(trace: Trace, path: str | Path, overwrite: bool = False) -> Path:
    """Outlines as an RFC 7946 FeatureCollection; returns the path."""
    content = {
        "type": "FeatureCollection",
        "features": features(trace),
        "question": _tag(trace.question),
        "answer": _tag(trace.answer.text),
        "reasoner": _tag(trace.reasoner),
    }
    return write_text(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False), overwrite)


# ---- objects ----------------------------------------------------------------------------------------------------


def to_geodataframe(trace: Trace) -> geopandas.GeoDataFrame:
    """One row a step, geometry in the grid's CRS (None for an empty mask)."""
    import geopandas

    grid = one_grid(trace, "a GeoDataFrame")
    rows = [properties(trace, k) for k in range(len(trace.steps))]
    shapes = [outline(mask_values(trace, s) == 1, grid) for s in trace.steps]
    return geopandas.GeoDataFrame(rows, geometry=geopandas.GeoSeries(shapes, crs=grid.crs))


def to_xarray(trace: Trace) -> xr.Dataset:
    """Dataset (step, y, x): ``mask`` bool, ``probability`` float32 (NaN where there is none), ``measured`` bool.

    ``step`` counts from 1; ``label``, ``sentence`` and ``time`` go along it. To be written as netCDF or Zarr as it is.
    """
    import xarray as xr

    grid = _shared_grid(trace, "a Dataset")
    nothing = np.full(grid.shape, np.nan, np.float32)
    dims = ("step", "y", "x")
    scores = [nothing if s.probability is None else s.probability.values for s in trace.steps]
    times = [np.datetime64("NaT") if s.time is None else s.time for s in trace.steps]
    data = xr.Dataset(
        {
            "mask": (dims, np.stack([s.mask.values for s in trace.steps])),
            "probability": (dims, np.stack(scores)),
            "measured": (dims, np.stack([r.domain.pixels for r in trace.regions])),
        },
        coords={
            "step": np.arange(1, len(trace.steps) + 1),
            "label": ("step", np.array([_tag(s.label) for s in trace.steps], dtype=str)),
            "sentence": ("step", np.array([_tag(_sentence(s)) for s in trace.steps], dtype=str)),
            "time": ("step", np.array(times, "datetime64[ns]")),
            **(grid.coords() if grid.is_north_up else {}),
        },
        attrs={"question": _tag(trace.question), "answer": _tag(trace.answer.text), "reasoner": _tag(trace.reasoner)},
    )
    if grid.crs is None:
        return data
    import rioxarray  # noqa: F401  (registers .rio)

    return data.rio.write_crs(grid.crs).rio.write_transform(grid.transform)


def version() -> str:
    """The version of this package."""
    from terrascope_nb import __version__

    return __version__
