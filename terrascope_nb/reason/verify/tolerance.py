"""When a figure agrees with what is measured: the digits written, and the words around it."""

from __future__ import annotations

from terrascope_nb.reason.verify.figures import ABOUT, LOOSE, Figure

CLOSE = 0.01
"""Relative difference that always agrees."""

RULE = (
    "A figure agrees with its mask when it is equal at the digits written (off by at most half a unit of "
    "the last one) or within "
    f"{100 * CLOSE:.0f} %. After «about», «roughly», «nearly», {100 * ABOUT:.0f} % are allowed; for "
    f"figures in words («a third», «twice»), "
    f"«the same size» with «about», {100 * LOOSE:.0f} %; «more than», «at least», «less than», «at most» "
    f"are bounds; counts must be equal. "
    "Shares are of the clear pixels inside the area; changes in percent are percentage points of the "
    "pixels clear on both dates. "
    "What agrees with its mask is as right as the mask is, and no more."
)
"""The rule in words; it stands beside every list of claims."""


def agrees(f: Figure, measured: float, exact: bool = False) -> tuple[bool, str]:
    """Whether a measured number, in the figure's unit, agrees with the figure; and the rule in words. See `RULE`.

    Examples
    --------
    >>> agrees(Figure("17.1 %", 0, 6, 17.1, "%", half_digit=0.05), 17.14)
    (True, 'equal at the digits written')
    """
    size = abs(measured)
    tiny = 1e-9 * max(size, abs(f.value), 1.0)
    close = 0.0 if exact else CLOSE * size
    slack = max(0.0 if exact else f.half_digit, close, f.relative * size) + tiny
    if f.high is not None:
        return f.value - slack <= measured <= f.high + slack, "a range must hold it"
    if f.bound:
        fits = {
            ">": measured > f.value + tiny, "<": measured < f.value - tiny, ">=": measured >= f.value - slack,
            "<=": measured <= f.value + slack,
        }[f.bound]  # fmt: skip
        return fits, f"the bound is {f.bound} {f.value:g}"
    off = abs(f.value - measured)
    if off <= (0.0 if exact else f.half_digit) + tiny:
        return True, "equal" if exact else "equal at the digits written"
    if off <= close + tiny:
        return True, f"within {100 * CLOSE:.0f} %"
    if off <= slack:
        return True, f"within the {100 * f.relative:.0f} % that the words allow"
    allowed = "counts must be equal" if exact and not f.relative else f"more than {slack:.3g} apart"
    return False, allowed


def digits_of(value: float, f: Figure) -> str:
    """A measured number with one digit more than the figure is written with."""
    places = 0
    while places < 6 and f.half_digit < 0.5 * 10.0**-places * 0.999:
        places += 1
    places = places if value == round(value) else min(places + 1, 6)
    return f"{value:.{places}f}"
