"""Units: the words people write for them, conversion to a base unit, and figures as sentences show them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Unit:
    """One unit of measure.

    Attributes
    ----------
    symbol : str
        Canonical spelling, as answers show it: ``"%"``, ``"m²"``, ``"ha"``, ``"km²"``, ``"m"``, ``"km"``, ``"px"``,
        ``""``.
    base : str
        Unit that facts are kept in: ``"%"``, ``"m²"``, ``"m"``, ``"px"`` or ``""`` (a count).
    factor : float
        Base units in one of this.
    words : tuple of str
        Other spellings, lower case, singular and plural.
    """

    symbol: str
    base: str
    factor: float
    words: tuple[str, ...] = ()


def _squares(*lengths: str) -> tuple[str, ...]:
    return tuple(f"{form} {length}" for length in lengths for form in ("square", "sq", "sq."))


UNITS: tuple[Unit, ...] = (
    Unit(
        "%",
        "%",
        1.0,
        ("percent", "per cent", "pct", "percentage", "percentage point", "percentage points", "percent points", "pp"),
    ),
    Unit(
        "m²", "m²", 1.0, ("m2", "m^2", "m**2", "sqm", "sq m", "sq. m", *_squares("metre", "metres", "meter", "meters"))
    ),
    Unit("ha", "m²", 1e4, ("hectare", "hectares")),
    Unit(
        "km²",
        "m²",
        1e6,
        (
            "km2",
            "km^2",
            "km**2",
            "sqkm",
            "sq km",
            "sq. km",
            *_squares("kilometre", "kilometres", "kilometer", "kilometers"),
        ),
    ),
    Unit("m", "m", 1.0, ("metre", "metres", "meter", "meters")),
    Unit("km", "m", 1e3, ("kilometre", "kilometres", "kilometer", "kilometers")),
    Unit("px", "px", 1.0, ("pixel", "pixels", "pix")),
    Unit("", "", 1.0, ("count",)),
    # units that texts use now and then; figures are never shown in them unless asked
    Unit("acre", "m²", 4046.8564224, ("acres", "ac")),
    Unit("mi²", "m²", 1609.344**2, ("mi2", "sq mi", *_squares("mile", "miles"))),
    Unit("mi", "m", 1609.344, ("mile", "miles")),
    Unit("ft²", "m²", 0.3048**2, ("ft2", "sqft", "sq ft", *_squares("foot", "feet"))),
    Unit("ft", "m", 0.3048, ("foot", "feet")),
)

_BY_SYMBOL = {u.symbol: u for u in UNITS}
_BY_WORD = {w: u for u in UNITS for w in (u.symbol, *u.words)}

UNIT_WORDS: dict[str, str] = {word: unit.symbol for word, unit in _BY_WORD.items() if word}
"""Every spelling → canonical symbol; one table for questions, options and claims."""

UNIT_PATTERN = (
    "(?:"
    + "|".join(re.escape(w).replace(r"\ ", r"[\s-]+") for w in sorted(UNIT_WORDS, key=len, reverse=True))
    + r")(?![\w²^])"
)
"""Regular expression of a unit's spelling, longest first (use with ``re.IGNORECASE``); no group in it."""

NUMBER_PATTERN = (
    r"(?:(?<![\w.,)])[-+−–])?"  # a dash after a word or a number is no sign: «10–20», «Sentinel-2»
    r"(?:[1-9]\d{0,2}(?:[,\u00a0\u2009\u202f']\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+|,\d{1,2}(?!\d)|(?<=\b0),\d+)?)"
    r"(?:[eE][-+]?\d+)?"
)
"""Regular expression of a written number, with or without thousands separators; no group in it."""

_QUANTITY = re.compile(rf"\s*({NUMBER_PATTERN})\s*({UNIT_PATTERN})?\s*", re.IGNORECASE)


def unit_of(word: str) -> str:
    """Give the canonical symbol of a unit's spelling.

    Raises
    ------
    InvalidInput
        For a word that is no unit; the message lists the units.

    Examples
    --------
    >>> unit_of("square kilometres"), unit_of("Hectares"), unit_of("pixels")
    ('km²', 'ha', 'px')
    """
    return _unit(word).symbol


def _unit(word: str) -> Unit:
    text = re.sub(r"[\s-]+", " ", str(word).strip().lower())
    found = _BY_WORD.get(text)
    if found is None:
        raise InvalidInput(unknown("unit", word, (u.symbol for u in UNITS if u.symbol)))
    return found


def to_base(value: float, unit: str) -> tuple[float, str]:
    """Convert to the unit that facts are kept in: (value, base unit).

    Examples
    --------
    >>> to_base(24.6, "ha")
    (246000.0, 'm²')
    """
    found = _unit(unit)
    return value * found.factor, found.base


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """Convert between two units of one kind.

    Raises
    ------
    InvalidInput
        When the two measure different things (an area is no length, a number of pixels is no area).

    Examples
    --------
    >>> convert(2.5, "km²", "ha")
    250.0
    """
    one, other = _unit(from_unit), _unit(to_unit)
    if one.base != other.base:
        raise InvalidInput(
            f"{value:g} {one.symbol or '(a count)'} cannot be given in {other.symbol or 'a count'}: "
            f"{_KINDS[one.base]} is no {_KINDS[other.base].split(' ', 1)[1]}"
        )
    return value if one is other else value * one.factor / other.factor


_KINDS = {"%": "a share", "m²": "an area", "m": "a length", "px": "a number of pixels", "": "a count"}


def number(text: str) -> float:
    r"""Read a written number: ``"1,200"``, ``"−2.5"``, ``"17,1"``, ``"12\u202f345"``.

    A comma before exactly three digits separates thousands (not after a single 0), any other comma is a decimal one.

    Raises
    ------
    InvalidInput
        When the text is no number.

    Examples
    --------
    >>> number("1,200.5"), number("−2.5"), number("17,1")
    (1200.5, -2.5, 17.1)
    """
    plain = _plain(text)
    try:
        return float(plain)
    except ValueError as err:
        raise InvalidInput(f"{text!r} is not a number; write it like 12.5 or 1,200") from err


def decimals(text: str) -> int:
    """Count the digits that a written number has after its decimal point.

    Examples
    --------
    >>> decimals("17.1"), decimals("1,200"), decimals("17,25"), decimals("3")
    (1, 0, 2, 0)
    """
    mantissa, _, exponent = _plain(text).partition("e")
    digits = len(mantissa.partition(".")[2])
    return max(digits - int(exponent or 0), 0)


def _plain(text: str) -> str:
    """ASCII minus and point, no thousands separators, lower-case exponent."""
    plain = re.sub("[−–]", "-", str(text).strip()).lower()
    plain = re.sub(r"(?<=\d)[\u00a0\u2009\u202f'](?=\d{3}(?!\d))", "", plain)
    if "." in plain or re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(e[-+]?\d+)?", plain):
        return plain.replace(",", "")
    head, _, tail = plain.rpartition(",")
    return f"{head.replace(',', '')}.{tail}" if head else plain


def parse(text: str) -> tuple[float, str]:
    """Read a quantity that is the whole text: (value, canonical unit); the unit is ``""`` where none is written.

    Raises
    ------
    InvalidInput
        When the text is no number with a unit.

    Examples
    --------
    >>> parse("24.6 ha"), parse("17.1%"), parse("1,200 metres"), parse("3")
    ((24.6, 'ha'), (17.1, '%'), (1200.0, 'm'), (3.0, ''))
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise InvalidInput(f"{text!r} is not a number with a unit; write it like 12.5 ha, 17 % or 120 m")
    return number(match[1]), _unit(match[2] or "").symbol


def pretty(value: float, base_unit: str, unit: str | None = None) -> str:
    """Write a figure as sentences show it, so that the digits written always agree with the value.

    Parameters
    ----------
    value : float
        In `base_unit`.
    base_unit : str
        ``"%"``, ``"m²"``, ``"m"``, ``"px"`` or ``""``; any unit is understood.
    unit : str, optional
        Unit to show it in. By default m² below one hectare, ha below 10 km², then km²; m below 1000 m, then km.

    Examples
    --------
    >>> pretty(17.14, "%"), pretty(246_000, "m²"), pretty(352_000, "m²", "km²"), pretty(60, "m"), pretty(1200, "m")
    ('17.1 %', '24.6 ha', '0.35 km²', '60 m', '1.2 km')
    >>> pretty(-2.5, "%"), pretty(0.0123, "%"), pretty(3, "")
    ('−2.5 %', '0.012 %', '3')
    """
    if not math.isfinite(value):
        raise InvalidInput(f"{value!r} {base_unit} is no figure that can be written; give a finite number")
    base, kind = to_base(value, base_unit)
    shown = _usual(abs(base), kind) if unit is None else unit_of(unit)
    figure = convert(base, kind, shown)
    text = _digits(figure, shown)
    return f"{text} {shown}" if shown else text


def _usual(size: float, base: str) -> str:
    if base == "m²":
        return "m²" if size < 1e4 else "ha" if size < 1e7 else "km²"
    if base == "m":
        return "m" if size < 999.5 else "km"
    return base


def _digits(value: float, unit: str) -> str:
    """One decimal for shares; for the rest at most two, three significant; two significant where less would show 0."""
    size = abs(value)
    if size == 0 or (unit != "%" and value == round(value) and size < 1e15):
        places = 1 if unit == "%" else 0
    elif unit == "%":
        places = 1 if size >= 0.1 else _places(size, 2)
    elif size < 0.1:
        places = _places(size, 2)
    else:
        places = min(max(_places(size, 3), 0), 2)
        if unit == "m" and size >= 10:
            places = min(places, 1)
    text = f"{size:.{places}f}"
    if unit != "%" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return MINUS + text if value < 0 and float(text) != 0 else text


def _places(size: float, significant: int) -> int:
    return significant - 1 - math.floor(math.log10(size))
