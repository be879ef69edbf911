"""Options, the option that fits a result, and the letter in a written answer."""

from __future__ import annotations

import math
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput
from terrascope_nb.reason.answers import (
    LETTER_RULES,
    Choices,
    choose_bool,
    choose_label,
    choose_number,
    choose_trend,
    label_of,
    pick_label,
    pick_number,
    read_letter,
    split_options,
)

FOUR = {"A": "10 %", "B": "20 %", "C": "Cropland", "D": "water"}


@pytest.mark.parametrize(
    ("given_", "letters", "texts"),
    [
        (["yes", "no"], "AB", ("yes", "no")),
        (("1", 2, 3.5), "ABC", ("1", "2", "3.5")),
        ({"A": "x", "B": "y"}, "AB", ("x", "y")),
        ({"b": "y", "a": "x"}, "BA", ("y", "x")),
        ({"(A)": "x", "B.": "y"}, "AB", ("x", "y")),
        (["A. water", "B. forest"], "AB", ("water", "forest")),
        (["(A) water", "(B) forest"], "AB", ("water", "forest")),
        (["B. water", "A. forest"], "AB", ("B. water", "A. forest")),
        (["a lake", "b"], "AB", ("a lake", "b")),
    ],
)
def test_choices_of(given_, letters, texts) -> None:
    choices = Choices.of(given_)
    assert ("".join(choices.letters), choices.texts) == (letters, texts)
    assert Choices.of(choices) is choices
    assert tuple(choices) == choices.items()
    assert len(choices) == len(letters)
    assert choices.text(letters[0]) == texts[0]
    assert choices.text("Z") is None


def test_no_choices_are_none() -> None:
    assert Choices.of(None) is None


@pytest.mark.parametrize(
    ("given_", "needed"),
    [
        ("A. yes B. no", "list of texts or a dict"),
        (3, "list of texts or a dict"),
        ([], "2 to 26"),
        (["one"], "2 to 26"),
        (["x"] * 27, "2 to 26"),
        ({"A": "x", "a": "y"}, "each once"),
        ({"AB": "x", "C": "y"}, "single letters"),
        ({1: "x", 2: "y"}, "single letters"),
        (["x", "  "], "option B has no text"),
    ],
)
def test_choices_that_are_none_are_refused(given_, needed) -> None:
    with pytest.raises(InvalidInput, match=needed):
        Choices.of(given_)


@pytest.mark.parametrize(
    ("texts", "unit"),
    [(["10 ha", "20 ha"], "ha"), (["10 ha", "1 km²"], "ha"), (["10", "20"], ""),
     (["10 ha", "20 %"], ""), (["10", "20%"], "%"),
     (["yes", "no"], ""), (["100 m", "1 km"], "m"), (["1,200 square meters", "3"], "m²")],
)  # fmt: skip
def test_the_unit_that_options_share(texts, unit) -> None:
    assert Choices.of(texts).unit == unit


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("How much? A. 10 % B. 20 %", "How much?", ("10 %", "20 %")),
        ("How much?\nA. 10 %\nB. 20 %\nC. 30 %\nD. 40 %", "How much?", ("10 %", "20 %", "30 %", "40 %")),
        ("How much?\n(A) 10 %\n(B) 20 %", "How much?", ("10 %", "20 %")),
        ("How much? (A) 10 % (B) 20 %", "How much?", ("10 %", "20 %")),
        ("How much? a) few b) many c) all", "How much?", ("few", "many", "all")),
        ("How much? Options: A: 1.5 ha, B: 2.5 ha", "How much?", ("1.5 ha", "2.5 ha")),
        ("How much?\nChoices:\nA. 1\nB. 2\nAnswer with the letter.", "How much?\nAnswer with the letter.", ("1", "2")),
        ("How much? A. 1 B. 2. Please answer with one letter", "How much?\nPlease answer with one letter", ("1", "2")),
        ("How much? [A] 1 [B] 2", "How much?", ("1", "2")),
        ("How much? A.10% B.20%", "How much? A.10% B.20%", None),
        ("Is it yes or no?", "Is it yes or no?", None),
        ("See band A. Is there water?", "See band A. Is there water?", None),
        ("How much? A. 1 C. 2", "How much? A. 1 C. 2", None),
        ("How much? A. B. 2", "How much? A. B. 2", None),
        ("", "", None),
    ],
)
def test_split_options(text, question, options) -> None:
    rest, choices = split_options(text)
    assert rest == question
    assert (choices.texts if choices else None) == options


NO_OPTION = {"answer", "choose", "select", "respond", "reply", "pick", "give"}  # these begin an instruction
OPTION = (
    st.text(string.ascii_lowercase + string.digits + " %²", min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda t: len(t) > 1 and t.split()[-1] not in ("or", "and") and not NO_OPTION & set(t.split()))
)
FORMS = ["\n{}. {}", " {}) {}", "\n({}) {}", "\n{}: {}"]


@given(st.lists(OPTION, min_size=2, max_size=6), st.sampled_from(FORMS))
def test_options_written_into_a_question_are_read_back(texts: list[str], form: str) -> None:
    written = "Is there water?" + "".join(
        form.format(x, t) for x, t in zip(string.ascii_uppercase, texts, strict=False)
    )
    question, choices = split_options(written)
    assert question == "Is there water?"
    assert choices.texts == tuple(" ".join(t.split()) for t in texts)


@pytest.mark.parametrize(
    ("texts", "value", "unit", "letter"),
    [
        (["10 %", "20 %", "30 %", "40 %"], 17.1, "%", "B"),
        (["10", "20", "30"], 26, "%", "C"),
        (["0.1", "0.2", "0.3"], 26.0, "%", "C"),
        (["0", "1"], 0.9, "%", "B"),
        (["12 ha", "24 ha", "0.5 km²"], 246_000, "m²", "B"),
        (["12 ha", "24 ha", "0.5 km²"], 460_000, "m²", "C"),
        (["1,200 m²", "12,000 m²"], 1.1, "ha", "B"),
        (["0.12 square kilometers", "0.24 square kilometers"], 246_000, "m²", "B"),
        (["24", "12 ha"], 246_000, "m²", "A"),
        (["50 m", "120 m", "1 km"], 800, "m", "C"),
        (["50 meters", "120 meters"], 0.1, "km", "B"),
        (["5 px", "12 pixels"], 11, "px", "B"),
        (["1", "2", "three", "none"], 3, "", "C"),
        (["1", "2", "three", "None"], 0, "", "D"),
        (["0–10 %", "10–20 %", "20–30 %"], 17.1, "%", "B"),
        (["0-10%", "10-20%", "20-30%"], 25, "%", "C"),
        (["less than 10 %", "10 to 50 %", "more than 50 %"], 3, "%", "A"),
        (["< 10 %", "10 % to 50 %", "> 50 %"], 70, "%", "C"),
        (["between 10 and 20 ha", "between 20 and 30 ha"], 222_222, "m²", "B"),
        (["100 m to 0.2 km", "300 m"], 150, "m", "A"),
        (["about 24.6 hectares (0.246 km²)", "30 hectares"], 250_000, "m²", "A"),
        (["−2.5 %", "2.5 %"], -3, "%", "A"),
        (["10 ha", "20 ha"], 17, "%", None),
        (["10 ha", "20 %"], 17, "%", "B"),
        (["yes", "no"], 17, "%", None),
        (["10 %", "20 %"], math.nan, "%", None),
        (["10 %", "20 %"], math.inf, "%", None),
        (["1e400 %", "20 %"], 5, "%", "B"),
    ],
)
def test_choose_number(texts, value, unit, letter) -> None:
    assert choose_number(Choices.of(texts), value, unit) == letter


def test_a_tie_goes_to_the_first_and_says_so() -> None:
    picked = pick_number(Choices.of(["10 %", "20 %", "30 %"]), 15, "%")
    assert picked.letter == "A"
    assert "A, B are equally near, the first is taken" in picked.why
    assert "equally" not in pick_number(Choices.of(["10 %", "20 %"]), 14, "%").why


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6, unique=True), st.integers(0, 1000),
       st.sampled_from([("m²", 1), ("ha", 10_000), ("km²", 1_000_000)]), st.data())  # fmt: skip
def test_the_nearest_number_wins_in_any_unit(numbers, value, unit, data) -> None:
    symbol, factor = unit
    letter = choose_number(Choices.of([f"{n} {symbol}" for n in numbers]), value * factor, "m²")
    best = min(abs(n - value) for n in numbers)
    assert abs(numbers[ord(letter) - 65] - value) == best


@pytest.mark.parametrize(
    ("texts", "label", "letter"),
    [
        (["Lake", "Forest"], "tree cover", "B"),
        (["Lake", "The forest area", "none"], "tree cover", "B"),
        (["Forest is larger than water", "Water is larger than forest"], "water", "B"),
        (["Forest is smaller than water", "Water is smaller than forest"], "water", "A"),
        (["water and forest", "water"], "water", "B"),
        (["water", "forest", "They are equal"], "equal", "C"),
        (["water", "forest", "Neither"], "equal", "C"),
        (["crops", "city", "None of the above"], "water", "C"),
        (["crops", "17 m", "None of the above"], "water", None),
        (["crops", "city"], "water", None),
        (["not water", "water"], "water", "B"),
        (["north", "south-east", "centre"], "south-east", "B"),
        (["North", "Southeast", "Center"], "south-east", "B"),
        (["upper left", "bottom-right", "middle"], "south-east", "B"),
        (["NW", "SE"], "north-west", "A"),
        (["in the north-western part", "in the centre of the scene"], "north-west", "A"),
        (["the northern half", "the southern half"], "south", "B"),
        (["north or south", "east"], "north", None),
        (
            ["water, forest, crops", "forest > water > crops", "crops, water, forest"],
            "tree cover, water, cropland",
            "B",
        ),
        (["forest, water", "water, forest"], "water, tree cover", "B"),
        (["solar farm", "forest"], "solar farm", "A"),
    ],
)
def test_choose_label(texts, label, letter) -> None:
    assert choose_label(Choices.of(texts), label) == letter


def test_two_options_of_one_class_are_said() -> None:
    assert pick_label(Choices.of(["lake", "river"]), "water").why == "A names water; A, B all do, the first is taken"


@pytest.mark.parametrize(
    ("texts", "value", "letter"),
    [
        (["Yes", "No"], True, "A"),
        (["Yes", "No"], False, "B"),
        (["No", "Yes"], True, "B"),
        (["Yes, they touch", "No, they do not touch"], False, "B"),
        (["adjacent", "not adjacent"], False, "B"),
        (["Adjacent", "Non-adjacent"], False, "B"),
        (["They share a boundary", "They are separated"], True, "A"),
        (["They share a boundary", "They are separated"], False, "B"),
        (["They don't touch", "They touch"], True, "B"),
        (["true", "false"], False, "B"),
        (["present", "absent"], False, "B"),
        (["connected", "disconnected"], False, "B"),
        (["10 m", "20 m"], True, None),
        (["water", "forest"], True, None),
    ],
)
def test_choose_bool(texts, value, letter) -> None:
    assert choose_bool(Choices.of(texts), value) == letter


@pytest.mark.parametrize(
    ("texts", "net", "letter"),
    [
        (["Increased", "Decreased", "Unchanged"], 2.5, "A"),
        (["Increased", "Decreased", "Unchanged"], -2.5, "B"),
        (["Increased", "Decreased", "Unchanged"], 0, "C"),
        (["It grew", "It shrank", "There was no significant change"], -1, "B"),
        (["It grew", "It shrank", "It stayed the same"], 0, "C"),
        (["yes", "no"], -1, None),
    ],
)
def test_choose_trend(texts, net, letter) -> None:
    assert choose_trend(Choices.of(texts), net) == letter


def test_without_choices_there_is_no_letter() -> None:
    assert (
        choose_number(None, 1, "%"),
        choose_label(None, "water"),
        choose_bool(None, True),
        choose_trend(None, 1),
    ) == (None,) * 4


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Forest", "tree cover"),
        ("the lakes", "water"),
        ("lakes and rivers", "water"),
        ("no water", None),
        ("water or crops", None),
        ("", None),
    ],
)
def test_label_of(text, label) -> None:
    assert label_of(text) == label


LETTERS = [
    # text, strict, terrascope-bench, disasterm3
    ("A", "A", "A", "A"),
    ("b", "B", "B", None),
    ("D", "D", "D", "D"),
    ("B.", "B", "B", "B"),
    ("B)", "B", "B", "B"),
    ("B:", "B", "B", "B"),
    ("(B)", "B", None, "B"),
    ("  B \n", "B", "B", "B"),
    ("B. 20 %", "B", "B", "B"),
    ("B) 20 %", "B", "B", "B"),
    ("(B) 20 %", "B", None, "B"),
    ("B 20 %", "B", "B", "B"),
    ("b) 20 %", "B", "B", None),
    ("B: 20 %.", "B", "B", "B"),
    ("c. cropland", "C", "C", None),
    ("B. 10 %", None, "B", "B"),
    ("B. about 20 %", None, "B", "B"),
    ("B, 20 %", None, "B", "B"),
    ("B20 %", None, "B", None),
    ("Cropland", None, "C", None),
    ("cropland", None, "C", None),
    ("bare land", None, "B", None),
    ("Answer: B", None, "A", "B"),
    ("The answer is B", None, None, "B"),
    ("Definitely A", None, "D", "A"),
    ("20 %", None, None, None),
    ("water", None, None, None),
    ("a lake", None, "A", None),
    ("A lake", None, "A", "A"),
    ("A or B", None, "A", "A"),
    ("AB", None, "A", None),
    ("**B**", None, None, "B"),
    ("E", None, None, "E"),
    ("F", None, None, None),
    ("", None, None, None),
    (".", None, None, None),
    ("B\nB", None, "B", "B"),
    ("<answer>B</answer>", "B", "B", "B"),
    ("<answer> b </answer>", "B", "B", None),
    ("<ANSWER>B</ANSWER>", "B", "B", "B"),
    ("<think>A is larger</think><answer>B. 20 %</answer>", "B", "B", "B"),
    ("<think>A</think><answer>Cropland</answer>", None, "C", "C"),
    ("<think>A</think><answer>the larger</answer>", None, None, "A"),
    ("<answer></answer> B", None, None, "B"),
    ("<answer>FOREST, class D</answer>", None, None, "E"),
    ("<answer>A</answer><answer>B</answer>", "A", "A", "A"),
    ("<answer>B", None, None, "B"),
    ("B</answer>", None, "B", "B"),
]


@pytest.mark.parametrize(("text", "strict", "bench", "disaster"), LETTERS, ids=[repr(row[0]) for row in LETTERS])
def test_read_letter(text, strict, bench, disaster) -> None:
    assert read_letter(text, FOUR) == strict
    assert read_letter(text, FOUR, rule="terrascope-bench") == bench
    assert read_letter(text, FOUR, rule="disasterm3") == disaster


@pytest.mark.parametrize(
    ("text", "letter"),
    [("20 %", "B"), (" 20 %\n", "B"), ("<answer>water</answer>", "D"), ("Cropland", "C"), ("cropland", None),
     ("B", None), ("B. 20 %", None),
     ("20%", None), ("", None)],
)  # fmt: skip
def test_landsat30_compares_with_the_options(text, letter) -> None:
    assert read_letter(text, FOUR, rule="landsat30-au") == letter


def test_strict_without_choices() -> None:
    assert read_letter("Q)") == "Q"
    assert read_letter("B. 20 %") is None


def test_a_letter_that_is_no_option() -> None:
    two = ["yes", "no"]
    assert read_letter("D", two) is None
    assert read_letter("D", two, rule="terrascope-bench") == "D"


def test_bad_arguments() -> None:
    with pytest.raises(InvalidInput, match=r"did you mean 'strict'\?"):
        read_letter("A", rule="strickt")
    with pytest.raises(InvalidInput, match="pass choices="):
        read_letter("A", rule="landsat30-au")
    with pytest.raises(InvalidInput, match="an answer is a text"):
        read_letter(None)


@given(st.text(max_size=200), st.sampled_from(LETTER_RULES))
def test_any_text_gives_a_capital_letter_or_none(text: str, rule: str) -> None:
    assert read_letter(text, FOUR, rule=rule) in (*"ABCDE", None)


@given(
    st.lists(st.text(min_size=1, max_size=60).filter(str.strip), min_size=2, max_size=6),
    st.floats(),
    st.sampled_from(["%", "m²", "m", ""]),
)
def test_any_options_give_a_letter_or_none(texts, value, unit) -> None:
    choices = Choices.of(texts)
    letters = (*choices.letters, None)
    assert choose_number(choices, value, unit) in letters
    assert choose_label(choices, "water") in letters
    assert choose_bool(choices, True) in letters
    assert choose_trend(choices, -1.0) in letters
    assert isinstance(choices.unit, str)


@pytest.mark.parametrize("piece", ["A. ", "(A) ", "1,000", "1 to ", "<answer>", "B) x ", "1-", "water, ", "answer "])
def test_long_texts_take_no_time(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    start = time.process_time()
    split_options(text)
    choices = Choices.of([text, "20 %"])
    choose_number(choices, 3, "%")
    choose_label(choices, "water")
    choose_bool(choices, True)
    for rule in LETTER_RULES:
        read_letter(text, choices, rule=rule)
    assert time.process_time() - start < 1.0
