"""Several regions together: what they share, and the pixels that all of them may be measured on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from terrascope_nb.reason.measure.region import Region
from terrascope_nb.scene.domain import Domain


def overlapping(a: Region, b: Region) -> tuple[int, str]:
    """Pixels of both regions, and a sentence that says so (empty where there are none)."""
    shared = sum(int(np.count_nonzero(one & other)) for one, other in _strips(a.pixels, b.pixels))
    return shared, f"the masks share {shared} pixel{'s' if shared > 1 else ''}" if shared else ""


def _same_domain(a: Domain, b: Domain) -> bool:
    """Whether two domains hold the same pixels, so that no figure depends on which is taken."""
    if a is b:
        return True
    pairs = ((a.pixels, b.pixels), (a.inside, b.inside))
    return all(one is other or all(np.array_equal(p, q) for p, q in _strips(one, other)) for one, other in pairs)


def _strips(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two arrays side by side, 256 rows at a time: nothing of their size is made from them."""
    for start in range(0, a.shape[0], 256):
        yield a[start : start + 256], b[start : start + 256]


def shared_domain(a: Region, b: Region) -> Domain:
    """The domain whose shares go with a figure of two regions."""
    return a.domain if _same_domain(a.domain, b.domain) else a.domain.both(b.domain)


def together(regions: tuple[Region, ...]) -> tuple[tuple[Region, ...], Domain, str]:
    """Regions of several images on the pixels that all of them see."""
    domain = regions[0].domain
    if all(_same_domain(domain, r.domain) for r in regions[1:]):
        return regions, domain, ""
    for r in regions[1:]:
        domain = domain.both(r.domain)
    narrowed = tuple(Region(r.label, r.mask, domain, r.image, r.time) for r in regions)
    return (
        narrowed,
        domain,
        f"compared on {100 * domain.clear_share:.3g} % of the AOI, the pixels that are clear in every image",
    )
