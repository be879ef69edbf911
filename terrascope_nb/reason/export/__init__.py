"""A trace as files: GeoTIFF, GeoJSON, STAC item, xarray, geopandas; and the folder that loads back."""

from __future__ import annotations

from terrascope_nb.reason.export.files import (
    NOT_MEASURED,
    band_name,
    features,
    mask_values,
    one_grid,
    properties,
    replacing,
    target,
    to_geodataframe,
    to_geojson,
    to_geotiff,
    to_xarray,
    version,
    write_text,
)

__all__ = [
    "NOT_MEASURED",
    "band_name",
    "features",
    "mask_values",
    "one_grid",
    "properties",
    "replacing",
    "target",
    "to_geodataframe",
    "to_geojson",
    "to_geotiff",
    "to_xarray",
    "version",
    "write_text",
]
