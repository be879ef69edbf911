"""Units: spellings, conversion, and figures that always agree with their value at the digits written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.units import (
    NUMBER_PATTERN,
    UNIT_PATTERN,
    UNIT_WORDS,
    UNITS,
    convert,
    decimals,
    number,
    parse,
    pretty,
    to_base,
    unit_of,
)

BASES = ("%", "m²", "m", "px", "")


@pytest.mark.parametrize(
    ("word", "symbol"),
    [
        ("%", "%"),
        ("percent", "%"),
        ("percentage points", "%"),
        ("m2", "m²"),
        ("sq m", "m²"),
        ("square metres", "m²"),
        ("square-meters", "m²"),
        ("Square  Kilometers", "km²"),
        ("ha", "ha"),
        ("Hectare", "ha"),
        ("km2", "km²"),
        ("m", "m"),
        ("meters", "m"),
        ("kilometre", "km"),
        ("pixels", "px"),
        ("", ""),
        ("acres", "acre"),
        ("miles", "mi"),
        ("sq ft", "ft²"),
    ],
)
def test_spellings(word, symbol):
    assert unit_of(word) == symbol


def test_an_unknown_unit_is_named_with_a_suggestion():
    with pytest.raises(InvalidInput, match="'hectars'.*Known:.*ha"):
        unit_of("hectars")


def test_no_word_stands_for_two_units():
    words = [w for u in UNITS for w in (u.symbol, *u.words)]
    assert len(words) == len(set(words))
    assert all(UNIT_WORDS[w] == u.symbol for u in UNITS for w in u.words)


@pytest.mark.parametrize("word", sorted(UNIT_WORDS))
def test_each_spelling_is_read_back_from_a_sentence(word):
    match = re.search(
        rf"({NUMBER_PATTERN})\s*({UNIT_PATTERN})", f"It covers 12.5 {word}, near the river.", re.IGNORECASE
    )
    assert match is not None
    assert (match[1], unit_of(match[2])) == ("12.5", UNIT_WORDS[word])


def test_a_unit_is_not_read_out_of_the_start_of_a_word():
    assert re.search(rf"3\s*{UNIT_PATTERN}", "3 hamlets, 3 mountains, 3 kmz, 3 percentages, 3 metreless") is None


@pytest.mark.parametrize(
    ("value", "one", "other", "result"),
    [
        (1, "km²", "ha", 100),
        (1, "ha", "m²", 10_000),
        (250, "m", "km", 0.25),
        (1, "acre", "m²", 4046.8564224),
        (3, "px", "pixels", 3),
    ],
)
def test_conversion(value, one, other, result):
    assert convert(value, one, other) == pytest.approx(result)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("ha", "m", "an area is no length"),
        ("px", "m²", "number of pixels is no area"),
        ("%", "ha", "a share is no area"),
        ("", "m", "a count is no length"),
    ],
)
def test_what_measures_something_else_is_refused(one, other, words):
    with pytest.raises(InvalidInput, match=words):
        convert(3, one, other)


@given(value=st.floats(-1e9, 1e9), pair=st.sampled_from([(a, b) for a in UNITS for b in UNITS if a.base == b.base]))
def test_conversion_has_an_inverse(value, pair):
    there = convert(value, pair[0].symbol, pair[1].symbol)
    assert convert(there, pair[1].symbol, pair[0].symbol) == pytest.approx(value, rel=1e-12, abs=1e-12)
    base, kind = to_base(value, pair[0].symbol)
    assert kind == pair[0].base
    assert base == pytest.approx(value * pair[0].factor)


@pytest.mark.parametrize(
    ("text", "value", "digits"),
    [
        ("17.1", 17.1, 1),
        ("1,200", 1200, 0),
        ("1,234,567.25", 1234567.25, 2),
        ("−2.5", -2.5, 1),
        ("-2.5", -2.5, 1),
        ("17,1", 17.1, 1),
        ("0,125", 0.125, 3),
        ("12\u202f345", 12345, 0),
        ("1e3", 1000, 0),
        ("2.5e-3", 0.0025, 4),
        ("3", 3, 0),
        ("3.00", 3, 2),
        ("1'200", 1200, 0),
    ],
)
def test_written_numbers(text, value, digits):
    assert number(text) == pytest.approx(value)
    assert decimals(text) == digits
    assert re.fullmatch(NUMBER_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("between 10–20 ha", ["10", "20"]),
        ("10-20 ha", ["10", "20"]),
        ("Sentinel-2 and 2023-06-01", ["2", "2023", "06", "01"]),
        ("in 2021,2022", ["2021", "2022"]),
        ("a change of −2.5 %.", ["−2.5"]),
        ("12.5, 13.5.", ["12.5", "13.5"]),
        ("from 1,200 m to 3 km", ["1,200", "3"]),
        ("images 1 256 pixels", ["1", "256"]),
    ],
)
def test_numbers_in_sentences(text, found):
    assert re.findall(NUMBER_PATTERN, text) == found


@pytest.mark.parametrize("text", ["", "ha", "twelve ha", "12 parsecs", "1.2.3 ha", "12 ha or so"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(InvalidInput, match="number"):
        parse(text)


@pytest.mark.parametrize(
    ("value", "base", "unit", "text"),
    [
        (17.14, "%", None, "17.1 %"),
        (12, "%", None, "12.0 %"),
        (0, "%", None, "0.0 %"),
        (100, "%", None, "100.0 %"),
        (0.0123, "%", None, "0.012 %"),
        (-2.5, "%", None, "−2.5 %"),
        (600, "m²", None, "600 m²"),
        (246_000, "m²", None, "24.6 ha"),
        (352_000, "m²", "km²", "0.35 km²"),
        (120_560_400_000, "m²", None, "120560 km²"),
        (60, "m", None, "60 m"),
        (1200, "m", None, "1.2 km"),
        (328.937, "m", None, "329 m"),
        (14.142, "m", None, "14.1 m"),
        (0, "m", None, "0 m"),
        (3, "", None, "3"),
        (12, "px", None, "12 px"),
        (12_350_000, "m²", "ha", "1235 ha"),
        (999.9, "m", None, "1 km"),
        (1.41421, "px", None, "1.41 px"),
    ],
)
def test_figures_as_sentences_show_them(value, base, unit, text):
    assert pretty(value, base, unit) == text


def test_what_is_not_finite_is_refused():
    with pytest.raises(InvalidInput, match="finite"):
        pretty(float("nan"), "ha")


@given(
    value=st.one_of(st.floats(-1e11, 1e11), st.integers(-(10**9), 10**9), st.floats(-1, 1)),
    base=st.sampled_from(BASES),
    data=st.data(),
)
def test_a_written_figure_reads_back_to_within_its_digits(value, base, data):
    unit = data.draw(st.sampled_from([None, *(u.symbol for u in UNITS if u.base == base)]))
    shown, symbol = parse(pretty(value, base, unit))
    written = pretty(value, base, unit).split(" ")[0]
    exact = convert(value, base, symbol)
    assert abs(shown - exact) <= 0.5 * 10.0 ** -decimals(written) * (1 + 1e-9) + 1e-12 * abs(exact)
    if abs(exact) > 1e-6:
        assert shown != 0
