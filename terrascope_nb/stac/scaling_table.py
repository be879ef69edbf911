"""The scaling table, for people: every rule of `terrascope_nb.stac.scaling`, its source, what it was tested on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the scaling table.

    Attributes
    ----------
    sensor : str
        Name of the sensor.
    when : str
        Which items: provider, and what they state.
    rule : str
        The formula.
    nodata : str
    source : str
        Where the rule is laid down, or was found out.
    tested : str
        On which real items it is tested.
    """

    sensor: str
    when: str
    rule: str
    nodata: str
    source: str
    tested: str


_PSD = "ESA, Sentinel-2 Products Specification Document (BOA_ADD_OFFSET, QUANTIFICATION_VALUE)"
_USGS = "USGS, Landsat Collection 2 Level-2 Science Products (scale factors); the items' raster:bands agree"

ROWS: tuple[Row, ...] = (
    Row("sentinel-2-l2a", "Planetary Computer (raw DN), baseline before 04.00", "DN × 0.0001", "DN 0", _PSD,
        "S2B_…_T06VVN (02.12), S2A_…_T35XQA (02.12)"),
    Row("sentinel-2-l2a", "Planetary Computer (raw DN), baseline 04.00 and later", "(DN − 1000) × 0.0001",
        "DN 0, before subtracting", f"{_PSD}; microsoft/PlanetaryComputer issue 134", "four items of 05.10"),
    Row("sentinel-2-l2a", "Earth Search v1, `earthsearch:boa_offset_applied` true",
        "DN × 0.0001; the `raster:bands` offset of −0.1 is not applied again", "DN 0",
        "Element84/earth-search issues 24, 66",
        "S2A_32TMS_20221207 (05.09), S2B_33TWN_20220130 (04.00), five 33TWM with pixels (05.09)"),
    Row("sentinel-2-l2a", "Earth Search v1, flag false, baseline before 04.00", "DN × 0.0001", "DN 0",
        f"{_PSD}; `raster:bands` offset 0 agrees", "33TWN of 00.01, 02.07 and 03.00"),
    Row("sentinel-2-l2a", "Earth Search v1, flag false, baseline 04.00 and later",
        "(DN − 1000) × 0.0001; the flag is known to be wrong for single items: compare with another date",
        "DN 0, before subtracting", "Element84/earth-search issues 66, 71; cirrus-geo/cirrus-earth-search issue 33",
        "no real item at hand"),
    Row("sentinel-2-l2a", "Earth Search v0 (`sentinel-s2-l2a-cogs`), by `sentinel:boa_offset_applied`, else the "
        "baseline in `sentinel:product_id`", "as the rows above", "DN 0",
        "cirrus-geo/cirrus-earth-search issues 21, 33", "S2A_28QCH_20200714 (02.14)"),
    Row("sentinel-2-l2a", "other providers (STAC 1.0 and 1.1), by the baseline; a stated offset is not used",
        "as Planetary Computer", "DN 0", _PSD, "stactools S2A_T07HFE (02.12, `proj:code`)"),
    Row("sentinel-2-c1-l2a", "Earth Search Collection 1: as `raster:bands` states, else by the baseline",
        "DN × 0.0001 − 0.1", "DN 0, before subtracting", "Element84/earth-search issue 41", "untested on a real item"),
    Row("landsat-c2-l2", "surface reflectance (SR_B*)", "DN × 0.0000275 − 0.2", "DN 0", _USGS, "four LC09 items"),
    Row("landsat-c2-l2", "surface temperature (ST_B*), kelvin: never taken for light", "DN × 0.00341802 + 149",
        "DN 0", _USGS, "four LC09 items"),
    Row("landsat-c2-l2", "`qa_pixel`, bits", "0 fill, 1 dilated cloud, 2 cirrus, 3 cloud, 4 cloud shadow, 5 snow; "
        "clear = none of 0–4", "1 (bit 0)", "USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide; the items' "
        "classification:bitfields agree", "four LC09 items"),
    Row("sentinel-1-rtc", "Planetary Computer", "gamma nought, linear power, as it is", "−32768, and every value ≤ 0",
        "the items' raster:bands; microsoft/PlanetaryComputer issues 307 (unmarked fringes), 493 (zero fill)",
        "four items"),
    Row("sentinel-1-grd", "radar geometry on ground control points", "refused; sentinel-1-rtc is named", "–",
        "no place without terrain correction, no calibration in the pixels", "S1A_…_21D1"),
    Row("esa-worldcover", "asset `map`", "class numbers", "0", "ESA WorldCover Product User Manual v2.0, legend",
        "untested on a real item"),
    Row("io-lulc-annual-v02", "asset `data`", "class numbers", "0", "the items' file:values", "four items"),
    Row("bigearthnet-s2-l2a", "the bundled sample (2017, baseline before 04.00)", "DN × 0.0001", "DN 0",
        "BigEarthNet (Sumbul et al. 2019): reflectance × 10,000", "three bundled items"),
    Row("bigearthnet-s1-grd", "the bundled sample", "10^(dB / 10)", "the file's tag",
        "BigEarthNet-MM (Sumbul et al. 2021): backscatter in dB", "three bundled items"),
)  # fmt: skip


def scaling_table() -> str:
    """The scaling table as Markdown."""
    names = ("sensor", "items", "physical value", "no data", "source", "tested on")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for r in ROWS:
        cells = (f"`{r.sensor}`", r.when, r.rule, r.nodata, r.source, r.tested)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines)
