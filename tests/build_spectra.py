"""Build the table of materials (terrascope_nb/data/spectra.npz) from the spectral library `earthlib` 1.1 (MIT).

    python tests/build_spectra.py [file to write]

Each spectrum becomes one reflectance for each Sentinel-2 band of `terrascope_nb.scene.spectra.BANDS`: its mean over a
box of the band's published width about its published centre. That is an approximation: the true responses have
sloping edges. Spectra are picked at random but always the same ones, so running it again writes the same table.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from earthlib import config
from earthlib.read import envi_library

from terrascope_nb.scene.spectra import BANDS

TARGET = Path(__file__).resolve().parent.parent / "terrascope_nb" / "data" / "spectra.npz"

# material → (the library's third level, how many at most). The canopies are simulated (PROSAIL), all else is measured.
MATERIALS = {
    "soil": (("soil",), 900),
    "sand": (("sand", "gravel", "dirt"), 100),
    "leaves": (("canopy",), 700),
    "straw": (("npv", "litter"), 100),
    "bark": (("bark", "wood"), 100),
    "char": (("char",), 100),
    "asphalt": (("asphalt", "road", "parking_lot"), 240),
    "concrete": (("sidewalk", "driveway", "bridge"), 100),
    "roof": (("comp_shingle", "concrete_tile", "wood_shingle"), 300),
    "tile": (("tile",), 100),
    "metal": (("metal",), 100),
}


def box(centre: float, width: float, wavelengths: np.ndarray, step: float = 10.0) -> np.ndarray:
    """Weights of the library's channels (each `step` nm wide): how much of each lies in the band, normalised."""
    low = np.maximum(wavelengths - step / 2, centre - width / 2)
    high = np.minimum(wavelengths + step / 2, centre + width / 2)
    overlap = np.clip(high - low, 0, None)
    return overlap / overlap.sum()


def build(path: Path) -> None:
    """Write the table: one (n, bands) float16 array a material, rows from dark to bright."""
    spectra, names, sensor = envi_library(config.full_endmember_path)
    about = config.full_metadata
    apart = [k for k, (a, b) in enumerate(zip(names, about.NAME, strict=True)) if a.strip() != str(b).strip()]
    if len(apart) > 1:  # one name is spelled in two ways in version 1.1
        raise SystemExit(f"names and metadata of the library are out of step at {len(apart)} rows")
    wavelengths = 1000 * np.asarray(sensor.band_centers, float)
    weights = np.stack([box(b.centre, b.width, wavelengths) for b in BANDS])
    bands = spectra @ weights.T
    rng, out = np.random.default_rng(0), {}
    for name, (levels, most) in MATERIALS.items():
        rows = np.flatnonzero(about.LEVEL_3.isin(levels).to_numpy() & (spectra > 0).all(1))
        if name == "sand":  # some gravels are as dark as asphalt: those of roads
            rows = rows[bands[rows].mean(1) > 0.12]
        rows = rng.permutation(rows)[:most]
        out[name] = bands[rows[np.argsort(bands[rows].mean(1), kind="stable")]].astype(np.float16)
    np.savez_compressed(path, **out)
    sizes = ", ".join(f"{k} {len(v)}" for k, v in out.items())
    sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB; {sizes}\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
