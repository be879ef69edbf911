"""Every claim of a text against its own masks: reading, checking, and what a single change in a text does."""

from __future__ import annotations

import re
import time

import model_sentences as ms
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from terrascope_nb.geo.grid import Grid
from terrascope_nb.reason.measure import Region
from terrascope_nb.reason.question import understand
from terrascope_nb.reason.reference import ReferenceReasoner
from terrascope_nb.reason.trace import Trace
from terrascope_nb.reason.verify import RULE, VERDICTS, Claim, verify
from terrascope_nb.reason.verify.claims import read
from terrascope_nb.reason.verify.figures import Figure, figures, flatten
from terrascope_nb.scene.domain import Domain
from terrascope_nb.scene.scene import Scene


def box(
    label: str, rows: slice, cols: slice, day: str | None = None, image: int = 0, crs: int | None = 32633
) -> Region:
    """A rectangle on a grid of 20 × 20 pixels of 10 m: one pixel is 0.25 %, 0.01 ha."""
    mask = np.zeros((20, 20), bool)
    mask[rows, cols] = True
    grid = Grid(Affine(10, 0, 500_000, 0, -10, 5_100_000), mask.shape, crs)
    return Region(label, mask, Domain.whole(grid), image, None if day is None else np.datetime64(day))


# water: 40 px = 10 %, 0.4 ha, north-west; forest: 80 px = 20 %, 0.8 ha, touches water; town: 20 px = 5 %,
# south-east, 70 m from the forest
WATER = box("water", slice(0, 4), slice(0, 10))
FOREST = box("tree cover", slice(4, 8), slice(0, 20))
TOWN = box("built-up", slice(14, 19), slice(16, 20))
SCENE = (WATER, FOREST, TOWN)
JUNE, AUGUST = (
    box("water", slice(0, 4), slice(0, 10), "2023-06-01"),
    box("water", slice(0, 3), slice(0, 12), "2023-08-01", 1),
)


def verdicts(text: str, regions: tuple[Region, ...] = SCENE, **more: object) -> list[tuple[str, str]]:
    return [(c.kind, c.verdict) for c in verify(text, regions, **more)]  # type: ignore[arg-type]


def only(text: str, regions: tuple[Region, ...] = SCENE, **more: object) -> Claim:
    found = verify(text, regions, **more)  # type: ignore[arg-type]
    assert len(found) == 1, [(c.kind, c.text) for c in found]
    return found[0]


# ---- numbers in a text ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("17.1 %", 17.1, "%"), ("17.1%", 17.1, "%"), ("17,1 %", 17.1, "%"), ("17.1\u00a0%", 17.1, "%"),
        ("17 per cent", 17, "%"),
        ("1,234 m²", 1234, "m²"), ("1 234 m2", 1234, "m²"), ("1\u202f234,5 m²", 1234.5, "m²"), ("1.234,5 m²", 1234.5,
        "m²"), ("1'234 m²", 1234, "m²"),
        ("12.5ha", 12.5, "ha"), ("12.5 hectares", 12.5, "ha"), ("0.35 km²", 0.35, "km²"), ("3 square kilometres", 3,
        "km²"), ("3.5e4 m²", 35000, "m²"),
        ("−2.5 %", -2.5, "%"), ("-2.5 %", -2.5, "%"), ("+2.5 %", 2.5, "%"), ("60-m", 60, "m"), ("1.2 km", 1.2, "km"),
        ("2,000 pixels", 2000, "px"),
        ("a third", 100 / 3, "%"), ("two thirds", 200 / 3, "%"), ("half", 50, "%"), ("twice", 2, "×"), ("3 times", 3,
        "×"), ("three", 3, ""),
        ("twenty-one", 21, ""), ("٣ ha", 3, "ha"),
    ],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(text: str, value: float, unit: str) -> None:
    found, _ = figures(flatten(f"it is {text} here"))
    assert [(pytest.approx(f.value), f.unit) for f in found] == [(value, unit)]


@pytest.mark.parametrize(
    ("text", "bound", "relative", "high"),
    [
        ("more than 10 %", ">", 0, None), ("at least 10 %", ">=", 0, None), ("less than 10 %", "<", 0, None),
        ("no more than 10 %", "<=", 0, None),
        ("about 10 %", "", 0.05, None), ("~10 %", "", 0.05, None), ("≈ 10 %", "", 0.05, None),
        ("between 10 % and 20 %", "", 0, 20),
        ("10–20 %", "", 0, 20), ("10 to 20 %", "", 0, 20), ("10 ± 2 %", "", 0, 12),
    ],
)  # fmt: skip
def test_words_around_a_number_are_read(text: str, bound: str, relative: float, high: float | None) -> None:
    (found,), _ = figures(flatten(f"it is {text} here"))
    assert (found.bound, found.relative, found.high) == (bound, relative, high)


def test_a_comma_that_may_mean_two_things_is_not_guessed() -> None:
    claim = verify("Water covers 10,0 % and 1,234 m².", SCENE)[1]
    assert claim.verdict == "not checkable" and "1234" in claim.why and "1.234" in claim.why


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("On 2023-06-01 I look.", "date"), ("On 1 June 2023 I look.", "date"), ("In June 2023 I look.", "date"),
        ("In 2023 I look.", "date"),
        ("It was taken at 10:30 UTC.", "time of day"), ("Image: 2. I look.", "image"), ("I look at image 2.",
        "image"), ("The 3rd class.", "ordinal"),
        ("Step 2: I look.", "number of a step"), ("1. I look.", "number of a step"), ("2) I look.",
        "number of a step"), ("Option 3 fits.", "number of a step"),
        ("A Sentinel-2 scene.", "sensor or band"), ("Landsat 8 sees it.", "sensor or band"), ("EPSG:32633 is used.",
        "sensor or band"),
        ("At 10 m resolution.", "pixel size"), ("With 10 m pixels.", "pixel size"), ("The pixel size is 10 m.",
        "pixel size"), ("An 8-bit view.", "sensor or band"),
    ],
)  # fmt: skip
def test_numbers_that_claim_nothing_are_passed_over_by_name(text: str, what: str) -> None:
    reading = read(text)
    assert not reading.statements
    assert [s.what for s in reading.skipped] == [what]


@pytest.mark.parametrize(
    "text",
    [
        "B04 and B8A are used.",
        "The two dates are compared.",
        "Which of them is larger than water?",
        "I check whether water touches forest.",
    ],
)
def test_what_only_looks_like_a_claim_is_none(text: str) -> None:
    assert not verify(text, SCENE)


# ---- one sentence, one claim
# ------------------------------------------------------------------------------------------
RIGHT = {
    "Water [SEG] covers 10.0 % of the clear pixels, 0.4 ha.": ["share", "area"],
    "Water touches forest.": ["adjacent"],
    "Water does not touch the town.": ["adjacent"],
    "Forest is larger than water.": ["larger"],
    "The largest class is tree cover, before water and built-up.": ["ranking"],
    "There is 1 separate area of water.": ["count"],
    "Water lies in the north-west of the scene.": ["location"],
    "The town lies 70 m from forest.": ["distance"],
    "A fifth of the scene is forest.": ["share"],
    "Forest is twice as large as water.": ["times"],
    "Water is half as large as forest.": ["times"],
    "Forest covers 10 percentage points more than water.": ["difference"],
    "Forest is 0.4 ha larger than water.": ["difference"],
    "The forest is 100 % larger than the water.": ["difference"],
    "Water and forest together cover 30 %.": ["share"],
    "Water holds 40 of 400 pixels.": ["pixels", "pixels"],
    "The town is closer to the forest than to the water.": ["nearer"],
    "Forest is the largest class, then water.": ["ranking"],
    "Water covers between 8 and 12 %.": ["share"],
    "Water covers more than 9 %.": ["share"],
    "Water covers about 10.3 %.": ["share"],
    "The town lies to the south-east of the water.": ["location"],
    "There is no wetland [SEG].": ["exists"],
    "The scene is 90 % not water, 10 % is water.": ["share", "share"],
    "Water touches the forest but not the town.": ["adjacent", "adjacent"],
}
WRONG = {
    "Water [SEG] covers 12.0 % of the clear pixels, 0.4 km².": ["share", "area"],
    "Water does not touch forest.": ["adjacent"],
    "Water borders the town.": ["adjacent"],
    "Forest is smaller than water.": ["larger"],
    "The largest class is water, before tree cover and built-up.": ["ranking"],
    "There are 2 separate areas of water.": ["count"],
    "Water lies in the south-west of the scene.": ["location"],
    "The town lies 80 m from forest.": ["distance"],
    "The town lies 70 km from forest.": ["distance"],
    "A third of the scene is forest.": ["share"],
    "Forest is three times as large as water.": ["times"],
    "Water is the same size as forest.": ["larger"],
    "Water and forest together cover 20 %.": ["share"],
    "The town is closer to the water than to the forest.": ["nearer"],
    "Water is the second smallest class, then forest and the town.": ["ranking"],
    "Water covers between 12 and 15 %.": ["share"],
    "Water covers more than 11 %.": ["share"],
    "Water covers 10 m of the scene.": ["share"],
    "There is no water.": ["exists"],
    "The town lies to the north of the water.": ["location"],
}


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_sentence_agrees_claim_by_claim(text: str) -> None:
    regions = (box("wetland", slice(0), slice(0)),) if "[SEG]" in text and "wetland" in text else SCENE
    found = verify(text, regions)
    assert [(c.kind, c.verdict) for c in found] == [(k, "agrees") for k in RIGHT[text]], [c.why for c in found]


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_sentence_disagrees(text: str) -> None:
    found = verify(text, SCENE)
    assert [c.kind for c in found] == WRONG[text]
    assert any(c.verdict == "disagrees" for c in found), [c.why for c in found]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (
            "Between the two dates 2.5 % was lost (0.1 ha), 1.5 % was gained; the net change is −1.0 %.",
            ["loss", "loss", "gain", "net"],
        ),
        ("Water shrank from 10.0 % to 9.0 %.", ["change", "share", "share"]),
        ("Water shrank by 1.0 %.", ["net"]),
        ("Water shrank by 10 % of its area.", ["net"]),
        ("Water decreased by 0.04 ha between 2023-06-01 and 2023-08-01.", ["net"]),
        ("Water covers 10 % on 2023-06-01 and 9 % on 2023-08-01.", ["share", "share"]),
        ("In the first image water covers 10 %, in the last image 9 %.", ["share", "share"]),
        ("Water is smaller on 2023-08-01 than on 2023-06-01.", ["change"]),
        ("Water was largest on 2023-06-01.", ["when"]),
        ("There is a net loss of water.", ["change"]),
        ("A net loss of 1.0 % of water.", ["net"]),
    ],
)
def test_change_is_checked_between_the_dates(text: str, kinds: list[str]) -> None:
    before = "On 2023-06-01 water [SEG] covers 10.0 %. By 2023-08-01 water [SEG] covers 9.0 %. "
    found = verify(before + text, (JUNE, AUGUST))[2:]
    assert [(c.kind, c.verdict) for c in found] == [(k, "agrees") for k in kinds], [(c.text, c.why) for c in found]
    assert all(set(c.steps) <= {0, 1} for c in found)


@pytest.mark.parametrize(
    "text",
    [
        "Between the two dates 1.5 % was lost, 2.5 % was gained.", "The net change is +1.0 %.",
        "Water grew from 10.0 % to 9.0 %.", "Water grew by 1.0 %.",
        "Water is larger on 2023-08-01 than on 2023-06-01.", "Water covers 9 % on 2023-06-01.",
        "Water was largest on 2023-08-01.", "Water is unchanged.",
    ],
)  # fmt: skip
def test_a_wrong_change_disagrees(text: str) -> None:
    before = "On 2023-06-01 water [SEG] covers 10.0 %. By 2023-08-01 water [SEG] covers 9.0 %. "
    assert "disagrees" in [c.verdict for c in verify(before + text, (JUNE, AUGUST))[2:]]


# ---- which mask
# ---------------------------------------------------------------------------------------------------------
def test_a_seg_names_its_own_mask_and_a_label_the_nearest() -> None:
    small, large = box("water", slice(0, 2), slice(0, 10)), box("water", slice(0, 8), slice(0, 20))
    found = verify(
        "Water [SEG] covers 5 %. Here water covers 5 %. Then water [SEG] covers 40 %. Now water covers 40 %.",
        (small, large),
    )
    assert [(c.steps, c.verdict) for c in found] == [
        ((0,), "agrees"),
        ((0,), "agrees"),
        ((1,), "agrees"),
        ((1,), "agrees"),
    ]


def test_a_pronoun_means_the_last_region_named_that_is_no_object() -> None:
    assert only("I see water [SEG]. It covers 10 %.").steps == (0,)
    assert verify("Water is smaller than forest. It covers 10 %.", SCENE)[1].steps == (0,)


def test_a_class_without_a_mask_is_the_union_of_its_parts_when_all_are_there() -> None:
    grass, crops = box("grassland", slice(0, 2), slice(0, 20)), box("cropland", slice(2, 4), slice(0, 20))
    assert only("Low vegetation covers 20 %.", (grass, crops)).verdict == "agrees"
    assert only("Low vegetation covers 20 %.", (grass,)).verdict == "not checkable"


def test_a_region_called_by_another_name_is_said() -> None:
    found = verify("Cropland [SEG] covers 10.0 %.", SCENE)
    assert [(c.kind, c.verdict) for c in found] == [("name", "disagrees"), ("share", "agrees")]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("On 2023-06-01 water [SEG] is seen. On 2023-08-01 water [SEG] is seen.", []),
        ("On 2023-08-01 water [SEG] is seen. By August 2023 water [SEG] is seen.", ["2023-08-01"]),
        ("In June 2023 water [SEG] is seen. In July 2023 water [SEG] is seen.", ["2023-07"]),
        ("Water [SEG] on 1 June 2023 and water [SEG] on 1 August 2023.", []),
        ("Water [SEG] is seen. Compared with 2023-06-01, water [SEG] is less.", []),
        ("Water [SEG] is seen. Since June 2023 the water [SEG] has shrunk.", []),
        ("Water [SEG] of 2021 is seen. Water [SEG].", ["2021"]),
    ],
)
def test_a_region_put_on_another_date_than_its_masks_is_said(text: str, wrong: list[str]) -> None:
    found = [c for c in verify(text, (JUNE, AUGUST)) if c.kind == "date"]
    assert [c.claimed for c in found] == wrong
    assert all(c.verdict == "disagrees" and str(c.measured) in c.why for c in found)
    undated = tuple(box("water", slice(0, 4), slice(0, 5), image=k) for k in range(2))
    assert [c for c in verify(text, undated) if c.kind == "date"] == []


def test_masks_without_a_label_take_the_words_of_the_text() -> None:
    nameless = Region("", WATER.mask, WATER.domain)
    assert verdicts("The lake [SEG] covers 10 %. The water touches nothing, it holds 0.4 ha.", (nameless,)) == [
        ("share", "agrees"),
        ("area", "agrees"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Snow covers 3 %.", "snow and ice"), ("The NDWI threshold is 0.2.", "could be counted"),
        ("The elevation is 300 m.", "distance"),
        ("If water covers more than 50 %, it is a sea.", "condition"), ("The largest lake covers 3 %.", "one part"),
        ("12 % of the forest burns.", "no mask shows which"),
        ("Water [SEG] and water [SEG] and water [SEG] and water [SEG] covers 10 %.", "[SEG] number 4"),
        ("Water shrank by 3 %.", "two dates"), ("Water covers 3 acres of nothing and 7 apples.", "counted"),
    ],
)  # fmt: skip
def test_what_no_mask_can_be_tied_to_is_not_checkable_and_says_why(text: str, why: str) -> None:
    found = [c for c in verify(text, SCENE) if c.verdict == "not checkable"]
    assert found and why in found[-1].why, [(c.text, c.why) for c in found]


def test_metres_without_a_crs_are_not_checkable_but_shares_are() -> None:
    water, forest = (Region(r.label, r.mask, Domain.whole(Grid(Affine.identity(), (20, 20)))) for r in (WATER, FOREST))
    town = Region("built-up", TOWN.mask, water.domain)
    found = verify(
        "Water [SEG] covers 10.0 %, 0.4 ha. The town lies 70 m from forest. The town is 7 px away from the forest.",
        (water, forest, town),
    )
    assert [c.verdict for c in found] == ["agrees", "not checkable", "not checkable", "agrees"]
    assert "no CRS" in found[1].why


def test_two_grids_are_not_checkable() -> None:
    other = Region("tree cover", np.ones((5, 5), bool), Domain.whole(Grid(Affine(10, 0, 0, 0, -10, 0), (5, 5), 32633)))
    assert only("Water is larger than forest.", (WATER, other)).verdict == "not checkable"


# ---- what a claim holds
# ---------------------------------------------------------------------------------------------------
def test_a_claim_holds_claimed_measured_difference_and_where_it_stands() -> None:
    text = "I look. Water [SEG] covers 12.0 %, 0.4 ha."
    share, area = verify(text, SCENE)
    assert text[share.start : share.end] == share.text == "12.0 %"
    assert (share.claimed, share.measured, share.unit, share.labels, share.steps) == (12.0, 10.0, "%", ("water",), (0,))
    assert share.difference == pytest.approx(2.0)
    assert "10" in share.why
    assert (area.claimed, area.measured, area.unit) == (0.4, 0.4, "ha")


def test_the_rule_is_stated_and_never_says_true() -> None:
    assert "1 %" in RULE and "digits" in RULE
    words = [RULE, *(c.why for t in (*RIGHT, *WRONG) for c in verify(t, SCENE)), *VERDICTS]
    assert not any(re.search(r"\btrue\b|\btruth\b|\bcorrect\b", w, re.IGNORECASE) for w in words)


@pytest.mark.parametrize(
    ("written", "fits"),
    [("10.05", True), ("10.1", True), ("10.11", False), ("9.9", True), ("9.8", False), ("10", True), ("11", False)],
)
def test_the_tolerance_is_half_a_digit_or_one_per_cent(written: str, fits: bool) -> None:
    assert (only(f"Water covers {written} %.").verdict == "agrees") is fits


def test_figures_say_where_they_stand() -> None:
    text = "So «about 17.1 %» it is"
    (f,), _ = figures(flatten(text))
    assert isinstance(f, Figure) and text[f.start : f.end] == "17.1 %"


# ---- the answer
# -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("question", "answer", "verdict"),
    [
        ("What share of the scene is water?", "10.0 %", "agrees"), ("What share of the scene is water?", "12 %",
        "disagrees"),
        ("What is the area of forest in hectares?", "0.8", "agrees"), ("What is the area of forest in hectares?",
        "0.8 km²", "disagrees"),
        ("Is the forest next to water?", "Yes", "agrees"), ("Is the forest next to water?", "no", "disagrees"),
        ("Which covers more area, forest or water?", "tree cover", "agrees"),
        ("Which covers more area, forest or water?", "Water", "disagrees"),
        ("Which land-cover class is the largest?", "tree cover", "agrees"), ("Which land-cover class is the largest?",
        "water", "disagrees"),
        ("How many lakes are there?", "1", "agrees"), ("How many lakes are there?", "two", "disagrees"),
        ("Is there water?", "yes", "agrees"), ("Is there water?", "No.", "disagrees"),
        ("How far is the town from the forest, in metres?", "70 m", "agrees"),
        ("How far is the town from the forest, in metres?", "90", "disagrees"),
        ("What share of the scene is water? A. 5 % B. 12 % C. 40 %", "B", "agrees"),
        ("What share of the scene is water? A. 5 % B. 12 % C. 40 %", "A", "disagrees"),
        ("What share of the scene is water? A. 5 % B. 12 % C. 40 %", "12 %", "agrees"),
        ("What share of the scene is water?", "Water covers 12 %.", "disagrees"),
        ("Is the forest next to water? A. Yes B. No", "B", "disagrees"), ("Where is the water?", "north-west",
        "agrees"), ("Where is the water?", "south", "disagrees"),
    ],
)  # fmt: skip
def test_a_bare_answer_is_tied_to_what_was_asked(question: str, answer: str, verdict: str) -> None:
    found = verify("I look.", SCENE, answer=answer, plan=understand(question))
    assert [(c.where, c.verdict) for c in found] == [("answer", verdict)], found
    assert answer[found[0].start : found[0].end] == found[0].text


def test_a_bare_answer_without_a_question_is_a_sentence_at_the_end() -> None:
    assert [(c.where, c.verdict) for c in verify("I see the lake [SEG].", SCENE, answer="10 %")] == [
        ("answer", "agrees")
    ]
    assert [(c.where, c.verdict) for c in verify("I see the lake [SEG].", SCENE, answer="yes")] == [
        ("answer", "not checkable")
    ]


# ---- one change is caught, none raises no alarm
# ------------------------------------------------------------------------------
def rates(cases: list[ms.Filled], most: int | None = None) -> tuple[float, float, list[str]]:
    """Share of cases with an alarm, share of mutations caught, and both kinds of failure in words."""
    failures, alarms, caught, tried = [], 0, 0, 0
    for case in cases:
        wrong = [c for c in verify(case.text, case.regions) if c.verdict == "disagrees"]
        alarms += bool(wrong)
        failures += [f"alarm: {case.text} ({c.text}: {c.why})" for c in wrong]
        no_crs = case.regions[0].grid.crs is None
        changed = list(ms.mutations(case))
        every = 1 if most is None else max(1, -(-len(changed) // most))
        for text, what in changed[::every]:
            tried += 1
            found = [c.verdict for c in verify(text, case.regions)]
            if "disagrees" in found or (no_crs and "not checkable" in found):  # hectares of a grid without a CRS
                caught += 1
            else:
                failures.append(f"missed: {text} ({what})")
    assert tried > 5 * len(cases) / 4
    return alarms / len(cases), caught / tried, failures


def test_the_file_has_a_hundred_sentences() -> None:
    assert len(ms.templates(1)) + len(ms.templates(2)) == 100


@pytest.mark.parametrize("seed", [1, 2])
def test_model_like_sentences_changed_and_unchanged(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [ms.fill(t, ms.random_scene(rng, d), rng) for d in (1, 2) for t in ms.templates(d)]
    alarms, caught, failures = rates(cases)
    assert alarms <= 0.01 and caught >= 0.99, "\n".join(failures)


def test_model_like_sentences_over_a_real_map(shared_data) -> None:
    import rasterio

    with rasterio.open(shared_data("nc-landsat7-landclass") / "landclass96.tif") as src:
        numbers = src.read(1)[300:420, 240:360]
    legend = {"built-up": 1, "cropland": 2, "tree cover": 5, "water": 6, "bare land": 7}
    masks = {name: numbers == k for name, k in legend.items()}
    masks |= {name: np.zeros(numbers.shape, bool) for name in ("snow and ice", "wetland")}
    rng = np.random.default_rng(8)
    cases = [
        ms.fill(t, ms.Scenario(masks, 28.5), rng) for t in ms.templates(1) if not re.search(r"{(?:below|above)", t)
    ]  # whole per cents are too coarse for 1 % of water
    alarms, caught, failures = rates(cases, most=4)
    assert alarms <= 0.01 and caught >= 0.99, "\n".join(failures)


def test_two_hundred_traces_changed_and_unchanged() -> None:
    rng = np.random.default_rng(3)
    alarms, caught, failures = rates([ms.random_trace(rng) for _ in range(200)], most=8)
    assert alarms <= 0.01 and caught >= 0.99, "\n".join(failures[:20])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4, 8))
def test_every_change_in_many_traces_and_sentences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cases = [ms.random_trace(rng) for _ in range(200)]
    cases += [ms.fill(t, ms.random_scene(rng, d), rng) for d in (1, 2) for t in ms.templates(d) for _ in range(3)]
    alarms, caught, failures = rates(cases)
    assert alarms <= 0.01 and caught >= 0.99, "\n".join(failures[:20])


QUESTIONS = (
    "What share of the scene is water?", "What is the area of forest in hectares?",
    "Which covers more area, forest or cropland?", "Is the forest next to water?",
    "Which land-cover class is the largest?", "Which land-cover class is the smallest?", "Rank the classes by area.",
    "How many separate lakes are there?",
    "Is there any wetland?", "Where is the water?", "How far is the built-up area from the water, in metres?",
)  # fmt: skip
CHANGES = (
    "How much water was lost between the first and the last date?",
    "How much forest was gained between the first and the last date, in hectares?",
    "By how much did the water change?",
)


def solved(dates: int, rng: np.random.Generator) -> list[Trace]:
    """Traces of the land-cover map reasoner over a random map."""
    scene = ms.random_scene(rng, dates)
    h, w = next(iter(scene.masks.values())).shape
    legend = {
        1: "water",
        2: "tree cover",
        3: "cropland",
        4: "built-up",
        5: "bare land",
        6: "wetland",
        7: "snow and ice",
    }
    maps = []
    for tail in ("", "@1")[:dates]:
        numbers = np.full((h, w), 3)
        for k, name in legend.items():
            if name + tail in scene.masks:
                numbers[scene.masks[name + tail]] = k
        maps.append(numbers)
    cloud = rng.random((dates, h, w)) < 0.1
    times = [str(d) for d in ms.DATES[:dates]]
    bands = rng.uniform(0.02, 0.3, (dates, 1, h, w)).astype(np.float32)
    made = Scene.from_arrays(
        bands,
        bands=["red"],
        times=times,
        crs=32633,
        transform=Affine(10, 0, 500_000, 0, -10, 5_100_000),
        units="reflectance",
        cloud=cloud,
    )
    reasoner = ReferenceReasoner(maps, legend)
    return [
        Trace.from_events(reasoner.stream(made, q), made, q)
        for q in (QUESTIONS if dates == 1 else (*QUESTIONS[:4], *CHANGES))
    ]


@pytest.mark.parametrize("dates", [1, 2])
def test_what_our_own_reasoners_write_agrees_with_their_masks(dates: int) -> None:
    for trace in solved(dates, np.random.default_rng(dates)):
        claims = verify(trace.text, trace.regions, answer=trace.answer.text, plan=understand(trace.question))
        assert [(c.text, c.why) for c in claims if c.verdict != "agrees"] == [], trace.text
        assert trace.answer.finish == "abstained" or any(c.where == "answer" for c in claims), (
            trace.question,
            trace.answer,
        )
        for m in re.finditer(r"(?<![\d-])\d+\.\d+(?= (?:%|ha|m))", trace.text):
            text = trace.text[: m.start()] + f"{float(m.group()) * 1.3 + 1:.1f}" + trace.text[m.end() :]
            assert any(c.verdict == "disagrees" for c in verify(text, trace.regions)), text


# ---- any text
# ---------------------------------------------------------------------------------------------------------------
WORDS = st.sampled_from(
    "water forest [SEG] 17.1 % ha km² is larger than not touch from to between and , . ; 3 net lost "
    "gained the of it they together largest class first "
    "2023-06-01 image: 1 half twice more less about no there north <answer> − 1,234 \u00a0 or if".split(" ")
)


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=400), st.lists(WORDS, max_size=120).map(" ".join)), st.text(max_size=30))
def test_any_text_is_read_without_an_error(text: str, answer: str) -> None:
    for claim in verify(text, SCENE, answer=answer):
        assert claim.verdict in VERDICTS
        where = text if claim.where == "text" else answer
        assert where[claim.start : claim.end] == claim.text


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 5000, "water " * 1700, "water, " * 1400, "water and " * 1000, "[SEG]" * 2000, "water > " * 1250,
        "17 % of " * 1250, "(" * 10_000, "a" * 10_000, "not " * 2500,
        "water is larger than " * 470, "1,234,567," * 1000, " " * 10_000, "the largest class is " * 450,
        "\n" * 10_000, "-" * 10_000, "between 1 and " * 700, "\U000f0000" * 10_000,
    ],
)  # fmt: skip
def test_long_texts_end(text: str) -> None:
    start = time.process_time()
    verify(text, SCENE)
    assert time.process_time() - start < 5
