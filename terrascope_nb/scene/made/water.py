"""Colour of water from what is in it: a simple bio-optical model, with a bottom where it is shallow.

Subsurface reflectance follows Gordon et al. (1988) as Lee et al. (2002) wrote it, ``rrs = (0.0895 + 0.1247 u) u`` with
``u = bb / (a + bb)``; a bottom of albedo ρ at depth z gives ``rrs · (1 − e^(−2 k z)) + ρ / π · e^(−2 k z)``,
``k = 1.2 (a + bb)``; through the surface ``Rrs = 0.52 rrs / (1 − 1.7 rrs)``, reflectance ``π Rrs``, plus sky and sun
glint, the same in all bands. Absorption of pure water: rounded values of Pope and Fry (1997), Smith and Baker (1981),
Kou et al. (1993), in the short-wave infrared so large that only glint is left. Phytoplankton, dissolved matter and
sediment: usual shapes, rounded. It gives waters that look right, not retrievals.
"""

from __future__ import annotations

import numpy as np

from terrascope_nb.scene.spectra import CENTRES

#: Absorption of pure water in 1/m, and of phytoplankton relative to 443 nm, in the bands of `spectra.BANDS`.
ABSORPTION = np.array([0.007, 0.015, 0.062, 0.43, 0.70, 2.4, 2.3, 3.3, 4.6, 600.0, 2000.0])
PIGMENT = np.array([1.0, 0.62, 0.20, 0.45, 0.08, 0.01, 0, 0, 0, 0, 0])

#: Kind of water → ranges of chlorophyll (mg/m³), sediment (g/m³), dissolved matter (1/m at 440 nm); drawn evenly in
#: their logarithms.
WATERS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "clear": ((0.5, 3.0), (0.3, 2.0), (0.05, 0.3)),
    "dark": ((2.0, 8.0), (0.5, 3.0), (1.5, 6.0)),
    "muddy": ((2.0, 15.0), (8.0, 50.0), (0.5, 2.0)),
    "green": ((20.0, 80.0), (5.0, 20.0), (0.4, 1.5)),
}


def reflectance(
    chlorophyll: float, sediment: float, dissolved: float, depth: float = np.inf, bottom: np.ndarray | None = None
) -> np.ndarray:
    """(11,) reflectance of a water column in `spectra.BANDS`, without glint.

    Parameters
    ----------
    chlorophyll, sediment, dissolved : float
        mg/m³, g/m³, and absorption at 440 nm in 1/m.
    depth : float
        Metres; infinite by default.
    bottom : numpy.ndarray, optional
        (11,) reflectance of the bed; needed for a finite depth.

    Examples
    --------
    >>> clear, muddy = reflectance(1, 1, 0.1), reflectance(5, 80, 0.8)
    >>> bool(clear[3] < 0.02 < 0.05 < muddy[3])  # red
    True
    """
    pigment = 0.05 * chlorophyll**0.65 * PIGMENT
    yellow = dissolved * np.exp(-0.016 * (CENTRES - 440))
    mineral = 0.03 * sediment * np.exp(-0.011 * (CENTRES - 440))
    absorbed = ABSORPTION + pigment + yellow + mineral
    scattered = 0.0009 * (550 / CENTRES) ** 4.3 + (0.011 * sediment + 0.003 * chlorophyll**0.6) * (550 / CENTRES) ** 0.6
    u = scattered / (absorbed + scattered)
    below = (0.0895 + 0.1247 * u) * u
    if bottom is not None:
        seen = np.exp(-2 * 1.2 * (absorbed + scattered) * depth)
        below = below * (1 - seen) + bottom / np.pi * seen
    return np.pi * 0.52 * below / (1 - 1.7 * below)


def draw_water(rng: np.random.Generator, kind: str, bed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One water body of a kind of `WATERS`: (11,) reflectance of its deep middle and its shallow edge, with glint."""
    made = [float(np.exp(rng.uniform(*np.log(limits)))) for limits in WATERS[kind]]
    glint = rng.uniform(0.002, 0.014)
    edge = reflectance(*made, depth=float(rng.uniform(0.3, 1.5)), bottom=bed)
    return reflectance(*made) + glint, edge + glint
