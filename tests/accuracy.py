"""Recompute the accuracy table of the land-cover rules and print it as Markdown.

Run ``python tests/accuracy.py [DATA]``; DATA is the folder with the real data sets (default:
$TERRASCOPE_NB_SHARED_DATA, else ``shared/data`` beside the repository).
Loaders are used by ``test_landcover_rules.py`` too. Not collected by pytest.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning

from terrascope_nb.reason.rules.landcover import LABELS, Classification, classify

warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

S2 = {
    "B01": "coastal",
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
}
S2_L1C = (
    "coastal",
    "blue",
    "green",
    "red",
    "rededge1",
    "rededge2",
    "rededge3",
    "nir",
    "nir08",
    "B09",
    "B10",
    "swir16",
    "swir22",
)
PAIRS = {
    "lake, Finland": ("S2B_MSIL2A_20170924T93020_69_24", "S1A_IW_GRDH_1SDV_20170925T043256_35VPK_69_24"),
    "fields, Austria": ("S2A_MSIL2A_20170613T101031_87_48", "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48"),
    "fields and pastures, Ireland": (
        "S2A_MSIL2A_20170617T113321_36_85",
        "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_36_85",
    ),
    "pastures, Ireland": ("S2A_MSIL2A_20170617T113321_4_55", "S1A_IW_GRDH_1SDV_20170617T064724_29UPU_4_55"),
    "hills in December, Portugal": ("S2A_MSIL2A_20171221T112501_56_35", "S1A_IW_GRDH_1SDV_20171221T064238_29SND_56_35"),
}
CLEAR_SLOVENIA = {2: "2015-09-09", 3: "2015-08-30", 4: "2015-07-11"}
CLOUDY_SLOVENIA = {0: "2015-08-20", 1: "2015-07-31"}


@dataclass(frozen=True)
class Case:
    """One image: bands as `classify` takes them, and a label map where there is one."""

    optical: dict[str, np.ndarray] | None
    sar: dict[str, np.ndarray] | None = None
    units: str = "reflectance"
    size: float | None = 10.0
    truth: np.ndarray | None = None

    def classify(self, use: str = "both", **change) -> Classification:
        optical = None if use == "sar" else self.optical
        sar = None if use == "optical" else self.sar
        return classify(optical, sar, **({"optical_units": self.units, "pixel_size": self.size} | change))

    def only(self, *names: str) -> Case:
        return Case({n: self.optical[n] for n in names}, self.sar, self.units, self.size, self.truth)


def _read(path: Path | str, band: int | None = 1, shape: tuple[int, int] | None = None) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(band, out_shape=shape, resampling=Resampling.bilinear).astype("float32")


def bigearthnet(data: Path, name: str) -> Case:
    """A pair; truth is near infrared below 0.06, the valley between lake and land on the lake pair."""
    s2, s1 = PAIRS[name]
    folder = data / "bigearthnet-pairs"
    optical = {n: _read(folder / s2 / f"{s2}_{b}.tif", 1, (120, 120)) / 1e4 for b, n in S2.items()}
    sar = {p: 10 ** (_read(folder / s1 / f"{s1}_{p.upper()}.tif") / 10) for p in ("vv", "vh")}
    return Case(optical, sar, truth=optical["nir"] < 0.06)


def slovenia(data: Path, index: int) -> Case:
    bands = np.load(data / "eolearn-slovenia-ts/REFERENCE_SCENES.npy")[index]
    truth = np.load(data / "eolearn-slovenia-ts/LULC.npy")[..., 0]
    return Case({n: bands[..., i] for i, n in enumerate(S2_L1C) if n not in ("B09", "B10")}, truth=truth)


def carolina(data: Path) -> Case:
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    bands = _read(data / "nc-landsat7-landclass/lsat7_2002.tif", None)
    truth = _read(data / "nc-landsat7-landclass/landclass96.tif").astype(int)
    return Case(dict(zip(names, bands, strict=False)), units="dn", size=28.5, truth=truth)


def spyndex(data: Path) -> Case:
    bands = np.load(data / "spyndex-s2-nocrs/S2_10m_B02B03B04B08.npz")["data"].astype("float32") / 1e4
    return Case(dict(zip(("blue", "green", "red", "nir"), bands, strict=True)), size=None)


def patagonia(data: Path) -> Case:
    bands = _read(data / "xrspatial-patagonia-s2/S2_patagonia_6b_uint16.tif", None) / 1e4
    return Case(dict(zip(("blue", "green", "red", "nir", "swir16", "swir22"), bands, strict=True)))


def camargue(data: Path) -> Case:
    decibel = _read(next((data / "pyrosar-s1-vv-db").glob("*.tif")))
    return Case(None, {"vv": np.where(decibel <= -99, np.nan, 10 ** (decibel / 10)).astype("float32")}, size=20.0)


def texas(data: Path) -> Case:
    bands = _read(data / "hls-texas-chip/hls_l30_texas_10b.tif", None)
    bands = np.where(bands == -9999, np.nan, bands / 1e4).astype("float32")
    names = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
    return Case(dict(zip(names, bands[:7], strict=True)), size=30.0)


def eurosat(data: Path, path: Path) -> Case:
    bands = _read(path, None) / 1e4
    order = (
        (*S2_L1C[:8], "B09", "B10", "swir16", "swir22", "nir08")
        if len(bands) == 13
        else (*S2_L1C[:9], "B09", "swir16", "swir22")
    )
    return Case({n: b for n, b in zip(order, bands, strict=True) if n not in ("B09", "B10")})


def styria(data: Path) -> dict[str, Case]:
    found = {}
    for folder in sorted((data / "mapchete-33twm-stac").glob("S2*"), key=lambda f: f.name[10:18]):
        scl = _read(folder / "SCL.tif").astype(int)
        bands = {
            S2[b]: np.where(scl == 0, np.nan, _read(folder / f"{b}.tif") / 1e4).astype("float32")
            for b in ("B02", "B03", "B04", "B08")
        }
        found[folder.name[10:18]] = Case(bands, size=120.0, truth=scl)
    return found


def mol(data: Path) -> dict[str, Case]:
    """S2 (coastal, red, nir, swir16) of the two clear dates with the S1 of the nearest date."""

    def read(file, variable):
        return _read(f"netcdf:{data / 'gfmap-mol-s1s2-ts' / file}.nc:{variable}", None)

    bands = {
        n: read("cdse_sentinel2_l2a", f"S2-L2A-{b}")
        for n, b in (("coastal", "B01"), ("red", "B04"), ("nir", "B08"), ("swir16", "B11"), ("scl", "SCL"))
    }
    radar = {p: read("cdse_sentinel1_grd", f"S1-SIGMA0-{p.upper()}") for p in ("vv", "vh")}
    found = {}
    for index in range(len(bands["scl"])):
        scl = bands["scl"][index].astype(int)
        if np.isin(scl, (4, 5, 6, 7)).mean() > 0.5:
            optical = {
                n: np.where(bands[n][index] == 65535, np.nan, bands[n][index] / 1e4).astype("float32")
                for n in ("coastal", "red", "nir", "swir16")
            }
            sar = {
                p: (10 ** ((20 * np.log10(np.maximum(b[0], 1)) - 83) / 10)).astype("float32") for p, b in radar.items()
            }
            found[f"date {index}"] = Case(optical, sar, truth=scl)
    return found


def iou(mask: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Intersection over union, NaN when both are empty."""
    if where is not None:
        mask, truth = mask & where, truth & where
    union = np.count_nonzero(mask | truth)
    return float(np.count_nonzero(mask & truth) / union) if union else float("nan")


def shares(found: Classification) -> str:
    """Share of the valid pixels, per class that is there."""
    valid = found.valid.sum()
    parts = [
        f"{n} {100 * s.mask[found.valid].sum() / valid:.1f}"
        for n, s in found.scores.items()
        if s.mask is not None and s.mask.any()
    ]
    return " · ".join(parts)


def reliability(score: np.ndarray, truth: np.ndarray, where: np.ndarray) -> list[tuple[float, float, int]]:
    """Ten bins: mean score, observed frequency, pixels."""
    where = where & np.isfinite(score)
    score, truth = score[where], truth[where]
    at = np.clip((score * 10).astype(int), 0, 9)
    return [
        (float(score[at == i].mean()), float(truth[at == i].mean()), int((at == i).sum()))
        for i in range(10)
        if (at == i).any()
    ]


def calibration_error(curve: list[tuple[float, float, int]]) -> float:
    """Mean distance of score and observed frequency, weighted by pixels."""
    return sum(abs(score - seen) * n for score, seen, n in curve) / sum(n for *_, n in curve)


def codes(found: Classification) -> np.ndarray:
    """(H, W) int: 0 for no label, else the position of the label in `LABELS` plus one."""
    image = np.zeros(found.valid.shape, int)
    for number, label in enumerate(LABELS, 1):
        mask = found.scores[label].mask
        if mask is not None:
            image[mask] = number
    return image


def changed_by_window(case: Case, use: str = "both") -> float:
    """Share of pixels whose label changes when each quarter of the image is classified on its own."""
    whole = codes(case.classify(use))
    rows, cols = (n // 2 for n in whole.shape)
    changed = 0
    for window in (np.s_[:rows, :cols], np.s_[:rows, cols:], np.s_[rows:, :cols], np.s_[rows:, cols:]):
        optical, sar = (
            {n: b[window] for n, b in bands.items()} if bands else None for bands in (case.optical, case.sar)
        )
        part = Case(optical, sar, case.units, case.size)
        changed += np.count_nonzero(codes(part.classify(use)) != whole[window])
    return changed / whole.size


def _mask(found: Classification, label: str, shape) -> np.ndarray:
    mask = found.get(label).mask
    return np.zeros(shape, bool) if mask is None else mask


def labelled(data: Path) -> list[tuple[str, str, str]]:
    """Rows (scene, measure, value) where there are pixel labels."""
    rows = []
    lake = bigearthnet(data, "lake, Finland")
    green, nir = lake.optical["green"], lake.optical["nir"]
    ndwi = (green - nir) / np.where(green + nir == 0, 1, green + nir) > 0
    found = 100 * (ndwi & lake.truth).sum() / lake.truth.sum()
    rows.append(("lake, Finland", "row «NDWI > 0»: part of the true water that it finds", f"{found:.1f} %"))
    masks = {}
    for use in ("optical", "sar", "both"):
        water = lake.classify(use).scores["water"]
        masks[use] = water.mask
        rows.append(
            (
                "lake, Finland",
                f"water, {use}: share (truth {100 * lake.truth.mean():.1f} %), IoU with truth, SAR share",
                f"{100 * water.mask.mean():.1f} %, {iou(water.mask, lake.truth):.3f}, {water.sar_share:.2f}",
            )
        )
    rows.append(
        ("lake, Finland", "IoU of the optical and the SAR water mask", f"{iou(masks['optical'], masks['sar']):.3f}")
    )
    for band in ("vv", "vh"):
        water = classify(None, {band: lake.sar[band]}, pixel_size=10).scores["water"].mask
        rows.append(
            (
                "lake, Finland",
                f"water, {band.upper()} alone: share, IoU",
                f"{100 * water.mean():.1f} %, {iou(water, lake.truth):.3f}",
            )
        )
    for title, names in (("four bands", ("blue", "green", "red", "nir")), ("RGB", ("blue", "green", "red"))):
        water = lake.only(*names).classify("optical").scores["water"].mask
        rows.append(
            (
                "lake, Finland",
                f"water, {title}: share, IoU",
                f"{100 * water.mean():.1f} %, {iou(water, lake.truth):.3f}",
            )
        )

    for index, date in {**CLEAR_SLOVENIA, **CLOUDY_SLOVENIA}.items():
        case = slovenia(data, index)
        known = case.truth > 0
        if index in CLOUDY_SLOVENIA:
            rows.append((f"Slovenia {date} (all cloud)", "cloud share", f"{100 * case.classify().cloud.mean():.1f} %"))
            continue
        rows.append((f"Slovenia {date}", "row «all forest»: forest IoU", f"{(case.truth == 2)[known].mean():.3f}"))
        for title, sub in (
            ("all bands", case),
            ("blue green red nir", case.only("blue", "green", "red", "nir")),
            ("RGB", case.only("blue", "green", "red")),
        ):
            found = sub.classify()
            trees = _mask(found, "tree cover", known.shape)
            low, built = (_mask(found, n, known.shape) for n in ("low vegetation", "built-up"))
            rows.append(
                (
                    f"Slovenia {date}",
                    f"{title}: forest IoU, not-forest IoU, low vegetation (grass + crops), artificial",
                    f"{iou(trees, case.truth == 2, known):.3f}, {iou(~trees, case.truth != 2, known):.3f},"
                    f" {iou(low, np.isin(case.truth, (1, 3)), known):.3f}, {iou(built, case.truth == 8, known):.3f}",
                )
            )
            if title == "all bands":
                shrub = trees[case.truth == 4].mean()
                rows.append((f"Slovenia {date}", "shrub pixels taken as trees", f"{100 * shrub:.0f} %"))

    case = carolina(data)
    known = (case.truth > 0) & (case.truth < 8)
    found = case.classify()
    best = max((iou(case.optical["nir"] < t, case.truth == 6), t) for t in range(20, 70))
    rows.append(
        (
            "North Carolina",
            f"row «near infrared < {best[1]}» (best of all such thresholds): water IoU",
            f"{best[0]:.3f}",
        )
    )
    both = sum(case.optical[n] for n in ("nir", "swir16"))
    best = max((iou(both < t, case.truth == 6), t) for t in range(50, 130))
    rows.append(
        ("North Carolina", f"row «nir + swir16 < {best[1]}» (best of all such thresholds): water IoU", f"{best[0]:.3f}")
    )
    for label, code in (("water", 6), ("tree cover", 5), ("built-up", 1)):
        score = found.scores[label]
        value = "abstained" if score.mask is None else f"{iou(score.mask, case.truth == code, known):.3f}"
        rows.append(("North Carolina", f"{label} IoU (row «all»: {(case.truth == code)[known].mean():.3f})", value))
    return rows


def extents(data: Path) -> list[tuple[str, str, str]]:
    """Rows (scene, measure, value): what the extent changes."""
    cases = [(f"{name} ({use})", bigearthnet(data, name), use) for name in PAIRS for use in ("optical", "sar", "both")]
    cases += [(f"Slovenia {date}", slovenia(data, index), "both") for index, date in CLEAR_SLOVENIA.items()]
    cases += [("spyndex", spyndex(data), "both"), ("North Carolina (counts)", carolina(data), "both")]
    label = "pixels that change label when quarters are classified alone"
    return [(name, label, f"{100 * changed_by_window(case, use):.1f} %") for name, case, use in cases]


def unlabelled(data: Path) -> list[tuple[str, str, str]]:
    """Rows (scene, what is known, shares in %) where there is no pixel label."""
    rows = []
    notes = {
        "fields, Austria": "arable land",
        "fields and pastures, Ireland": "arable land, pastures",
        "pastures, Ireland": "pastures",
        "hills in December, Portugal": "broad-leaved forest, scrub, crops; low sun",
        "lake, Finland": "conifers, peatbog, lake",
    }
    for name in PAIRS:
        case = bigearthnet(data, name)
        for use in ("optical", "sar", "both"):
            rows.append((f"{name} ({use})", notes[name], shares(case.classify(use))))
    rows.append(("spyndex (no SWIR)", "woods, dry pasture, a river, a pond", shares(spyndex(data).classify())))
    rows.append(("spyndex (RGB)", "the same", shares(spyndex(data).only("blue", "green", "red").classify())))
    rows.append(("Patagonia (TOA)", "dry steppe: no water, no trees", shares(patagonia(data).classify())))
    rows.append(("Patagonia (RGB)", "the same", shares(patagonia(data).only("blue", "green", "red").classify())))
    rows.append(("Camargue (VV alone)", "lagoons", shares(camargue(data).classify())))
    rows.append(("Texas (HLS)", "shrub, well pads", shares(texas(data).classify())))
    for path in sorted((data / "eurosat-small").glob("*.tif*")):
        known = "patch of " + path.stem.split("_")[0] if path.stem[0].isupper() else "Massachusetts suburb"
        rows.append((f"EuroSAT {path.stem}", known, shares(eurosat(data, path).classify())))
    for date, case in styria(data).items():
        found = case.classify()
        seen = found.valid
        cloud, water, plants = (_mask(found, n, seen.shape) for n in ("cloud", "water", "vegetation"))
        rows.append(
            (
                f"Styria {date} (120 m, no SWIR)",
                f"SCL: cloud IoU {iou(cloud, np.isin(case.truth, (8, 9, 10)), seen):.2f},"
                f" water IoU {iou(water, case.truth == 6, seen):.2f},"
                f" plants IoU {iou(plants, case.truth == 4, seen):.2f}",
                shares(found),
            )
        )
    for date, case in mol(data).items():
        for use in ("optical", "both"):
            rows.append((f"Mol {date} ({use})", "farmland and woods; no blue, no green", shares(case.classify(use))))
    return rows


def curves(data: Path) -> dict[str, list[tuple[float, float, int]]]:
    """Reliability of the forest and water scores where pixels are labelled."""
    found = {}
    for index, date in CLEAR_SLOVENIA.items():
        case = slovenia(data, index)
        score = case.classify().scores["tree cover"].score
        found[f"tree cover, Slovenia {date}"] = reliability(score, case.truth == 2, case.truth > 0)
    lake = bigearthnet(data, "lake, Finland")
    for use in ("optical", "sar", "both"):
        score = lake.classify(use).scores["water"].score
        found[f"water, lake ({use})"] = reliability(score, lake.truth, np.ones_like(lake.truth))
    case = carolina(data)
    known = (case.truth > 0) & (case.truth < 8)
    scores = case.classify().scores
    for label, code in (("water", 6), ("tree cover", 5)):
        found[f"{label}, North Carolina"] = reliability(scores[label].score, case.truth == code, known)
    return found


def main(data: Path) -> str:
    """The whole report as Markdown."""
    lines = ["### Where pixels are labelled", "", "| scene | measure | value |", "|---|---|---|"]
    lines += [f"| {a} | {b} | {c} |" for a, b, c in labelled(data)]
    lines += ["", "### Where they are not", "", "| scene | known | shares of the valid pixels, % |", "|---|---|---|"]
    lines += [f"| {a} | {b} | {c} |" for a, b, c in unlabelled(data)]
    lines += ["", "### What the extent changes", "", "| scene | measure | value |", "|---|---|---|"]
    lines += [f"| {a} | {b} | {c} |" for a, b, c in extents(data)]
    lines += [
        "",
        "### Reliability of the scores",
        "",
        "| score | mean score | observed | pixels |",
        "|---|---|---|---|",
    ]
    for name, curve in curves(data).items():
        lines += [f"| {name} | {a:.2f} | {b:.2f} | {n} |" for a, b, n in curve]
        lines.append(f"| {name}: **mean distance {calibration_error(curve):.3f}** | | | {sum(n for *_, n in curve)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TERRASCOPE_NB_SHARED_DATA", beside)
    sys.stdout.write(main(Path(folder)) + "\n")
