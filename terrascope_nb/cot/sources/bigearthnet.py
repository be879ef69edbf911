"""BigEarthNet v2 (reBEN): Sentinel-2 and Sentinel-1 patches of 1.2 × 1.2 km with CORINE 2018 reference maps.

Layout, as unpacked from the archives::

    BigEarthNet-S2/<product>/<patch>/<patch>_B02.tif …       10 m: 120 × 120, 20 m: 60 × 60, 60 m: 20 × 20 pixels
    BigEarthNet-S1/<product>/<s1 patch>/<s1 patch>_VV.tif …  120 × 120, dB
    Reference_Maps/<product>/<patch>/<patch>_reference_map.tif   CORINE codes 111 … 523
    metadata.parquet        patch_id, labels, split, country, s1_name, s2v1_name, contains_seasonal_snow, …

<product> is the patch's name without its last two parts (row and column), for Sentinel-1 without its last three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from terrascope_nb._optional import need
from terrascope_nb._suggest import unknown
from terrascope_nb.cot.sources.legends import CLC_2018
from terrascope_nb.cot.sources.rasters import folder_of, labelled_of
from terrascope_nb.cot.sources.stream import Entry, Stream
from terrascope_nb.errors import InvalidInput, NotFound, ReadFailed
from terrascope_nb.scene.labelled import Labelled
from terrascope_nb.scene.scene import Scene

LICENCE = "CDLA-Permissive-1.0; contains modified Copernicus Sentinel data"
CITATION = (
    "K. N. Clasen, L. Hackel, T. Burgert, G. Sumbul, B. Demir, V. Markl: reBEN: Refined BigEarthNet Dataset for Remote "
    "Sensing Image Analysis. IGARSS 2025, 1264–1268, doi:10.1109/IGARSS55030.2025.11242834; reference maps: CORINE "
    "Land Cover 2018, Copernicus Land Monitoring Service"
)
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
SPLITS = ("train", "validation", "test")
MODES = ("optical", "sar", "both")
COLUMNS = ("patch_id", "split", "country", "s1_name", "contains_seasonal_snow", "contains_cloud_or_shadow")


def read_bigearthnet(
    folder: str | Path,
    *,
    split: str | None = None,
    country: str | None = None,
    sensors: str = "both",
    bands: tuple[str, ...] = BANDS,
    snow: bool = False,
    cloud: bool = False,
    metadata: str = "metadata.parquet",
    nodata: int | None = None,
    part: tuple[int, int] | None = None,
    on_bad: str = "raise",
) -> Iterator[Labelled]:
    """Patches with their reference maps, in the order of the metadata. Each is read when it is asked for.

    Numbers of the optical patches are reflectance × 10,000 without offset (as before baseline 04.00; the published band
    means, 438 in blue, leave no room for one); radar is in dB. The place is the patch's Sentinel-2 tile (``33UUP``);
    tiles of the grid overlap by some kilometres, so patches of neighbours may share ground: `merge_places`, or the
    data set's own split, keep them together.

    Parameters
    ----------
    folder : path
        Holds BigEarthNet-S2, Reference_Maps, and BigEarthNet-S1 where radar is asked for.
    split : "train", "validation" or "test", optional
        Only these of the data set's own split; `Labelled.split` tells it in any case.
    country : str, optional
        Only these, as in the metadata, e.g. "Austria".
    sensors : "optical", "sar" or "both"
    bands : tuple of str
        Optical bands to read, "B01" … "B12"; those of 20 and 60 m are resampled to 10 m.
    snow, cloud : bool
        Keep patches marked as under seasonal snow, or cloud and shadow.
    metadata : str
        Name of the Parquet file in the folder.
    nodata : int, optional
        Number of the maps that means «not mapped» besides the unclassified codes 990, 995 and 999.
    part, on_bad
        See `Stream`.

    Raises
    ------
    NotFound, ReadFailed
        When a folder, a file or a column is missing; on the first `next`, or when its patch is read.
    InvalidInput
        For codes that CORINE does not have; they are listed.
    MissingPackage
        When pyarrow is not installed.
    """
    if sensors not in MODES:
        raise InvalidInput(unknown("sensors", sensors, MODES))
    if split is not None and split not in SPLITS:
        raise InvalidInput(unknown("split", split, SPLITS))
    root = Path(folder)

    def entries() -> Iterator[Entry]:
        wanted = [
            n for n, use in (("BigEarthNet-S2", sensors != "sar"), ("BigEarthNet-S1", sensors != "optical")) if use
        ]
        folder_of(root, *wanted, "Reference_Maps", metadata)
        for row in _rows(root / metadata, radar=sensors != "optical"):
            if split is not None and row["split"] != split or country is not None and row.get("country") != country:
                continue
            if (row.get("contains_seasonal_snow") and not snow) or (row.get("contains_cloud_or_shadow") and not cloud):
                continue
            yield row["patch_id"], _Patch(root, row, sensors, bands, nodata)

    return Stream(entries, part, on_bad)


class _Patch:
    """Opens one patch."""

    def __init__(self, root: Path, row: dict[str, Any], sensors: str, bands: tuple[str, ...], nodata: int | None):
        self.root, self.row, self.sensors, self.bands, self.nodata = root, row, sensors, bands, nodata

    def __call__(self) -> Labelled:
        patch = str(self.row["patch_id"])
        product = patch.rsplit("_", 2)[0]
        options: dict[str, Any] = {}
        if self.sensors != "sar":
            at = self.root / "BigEarthNet-S2" / product / patch
            options |= {
                "optical": [[at / f"{patch}_{band}.tif" for band in self.bands]], "bands": list(self.bands),
                "scale": 1e-4, "offset": 0.0, "sensor": "sentinel-2-l2a", "times": [time_of(patch)],
            }  # fmt: skip
        if self.sensors != "optical":
            radar = self.row.get("s1_name")
            if not radar:
                raise ReadFailed(f"{patch} has no s1_name in the metadata: read it with sensors='optical'")
            at = self.root / "BigEarthNet-S1" / radar.rsplit("_", 3)[0] / radar
            options |= {
                "sar": [[at / f"{radar}_{p}.tif" for p in ("VV", "VH")]], "sar_bands": ["VV", "VH"], "sar_units": "db",
                "sar_times": [time_of(radar)],
            }  # fmt: skip
        scene = Scene.from_files(name=patch, **options)
        reference = self.root / "Reference_Maps" / product / patch / f"{patch}_reference_map.tif"
        return labelled_of(
            scene, [reference], CLC_2018, self.nodata, key=patch, place=f"bigearthnet {tile_of(patch)}",
            source="bigearthnet", licence=LICENCE, citation=CITATION, split=str(self.row.get("split") or ""),
        )  # fmt: skip


def time_of(name: str) -> np.datetime64:
    """The acquisition time in a patch's name; the hour is not always padded.

    Examples
    --------
    >>> time_of("S2B_MSIL2A_20170924T93020_69_24")
    np.datetime64('2017-09-24T09:30:20')
    """
    found = re.search(r"_(\d{4})(\d{2})(\d{2})T(\d{1,2})(\d{2})(\d{2})(?:_|$)", name)
    if found is None:
        raise InvalidInput(f"no date in the name {name!r}; BigEarthNet names hold one, like «_20170613T101031_»")
    year, month, day, hour, minute, second = found.groups()
    try:
        return np.datetime64(f"{year}-{month}-{day}T{int(hour):02d}:{minute}:{second}", "s")
    except ValueError as err:
        raise InvalidInput(f"the date in the name {name!r} is none: {err}") from err


def tile_of(patch: str) -> str:
    """The Sentinel-2 tile in a patch's name, else (names of v1 hold none) its product.

    Examples
    --------
    >>> tile_of("S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57")
    '33UUP'
    """
    found = re.search(r"_T(\d{2}[A-Z]{3})_", patch)
    return found.group(1) if found else patch.rsplit("_", 2)[0]


def _rows(path: Path, radar: bool) -> Iterator[dict[str, Any]]:
    """Rows of the metadata, a batch at a time."""
    parquet = need("pyarrow.parquet", "read the metadata of BigEarthNet", "data")
    arrow = need("pyarrow", "read the metadata of BigEarthNet", "data")
    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as err:
        raise ReadFailed(f"{path} cannot be read as Parquet: {err}") from err
    there = file.schema_arrow.names
    missing = [c for c in ("patch_id", "split", *(("s1_name",) if radar else ())) if c not in there]
    if missing:
        raise NotFound(f"{path} has no column {', '.join(missing)}; it has {', '.join(there)}")
    with file:
        for batch in file.iter_batches(columns=[c for c in COLUMNS if c in there]):
            yield from batch.to_pylist()
