"""Questions into plans: a table of what is understood and of what must be refused, options, and hostile text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput, QuestionNotUnderstood
from terrascope_nb.reason.question import Plan, forms, understand
from terrascope_nb.scene.classes import CLASSES, canonical

FL = ("first", "last")

#: question, task, labels, unit, when, and what else the plan says
UNDERSTOOD = [
    # coverage percentage
    ("What share of the scene is water?", "coverage", "water", "%", None, {}),
    ("What percentage of the image is covered by forest?", "coverage", "tree cover", "%", None, {}),
    ("What is the coverage percentage of cropland in this image?", "coverage", "cropland", "%", None, {}),
    ("Approximately what percentage of the area is occupied by built-up areas?", "coverage", "built-up", "%", None, {}),
    ("What proportion of the total area does grassland cover?", "coverage", "grassland", "%", None, {}),
    ("How much of the scene is covered with snow?", "coverage", "snow and ice", "%", None, {}),
    ("Could you please tell me roughly how much of the image is lakes?", "coverage", "water", "%", None, {}),
    ("Estimate the percentage of bare soil.", "coverage", "bare land", "%", None, {}),
    ("what is the fraction of pixels that are clouds", "coverage", "cloud", "%", None, {}),
    ("Water: what % of the scene?", "coverage", "water", "%", None, {}),
    (
        "Based on the satellite image, what is the area percentage of the vegetation?",
        "coverage",
        "vegetation",
        "%",
        None,
        {},
    ),
    ("What percent of the picture do rivers and lakes take up?", "coverage", "water", "%", None, {}),
    ("What share of the scene was water in 2018?", "coverage", "water", "%", "2018", {}),
    ("What share of the scene is water on the last date?", "coverage", "water", "%", "last", {}),
    ("How much of the scene was flooded area on 2023-06-01?", "coverage", "water", "%", "2023-06-01", {}),
    ("What share of the scene was forest in June 2023?", "coverage", "tree cover", "%", "2023-06", {}),
    ("How much water is there?", "coverage", "water", "%", None, {}),
    ("Which percentage of the study area is wetland?", "coverage", "wetland", "%", None, {}),
    ("WHAT IS THE TREE COVER PERCENTAGE???", "coverage", "tree cover", "%", None, {}),
    (
        "Given this Sentinel-2 image, what is the percentage of the image covered by trees?",
        "coverage",
        "tree cover",
        "%",
        None,
        {},
    ),
    # absolute area
    ("What is the area of water in hectares?", "area", "water", "ha", None, {}),
    ("What is the total area of cropland in the image (in square kilometers)?", "area", "cropland", "km²", None, {}),
    ("How many hectares of forest are there?", "area", "tree cover", "ha", None, {}),
    ("How many square metres does the lake cover?", "area", "water", "m²", None, {}),
    ("How large is the built-up area?", "area", "built-up", "", None, {}),
    ("How big are the meadows, in km2?", "area", "grassland", "km²", None, {}),
    (
        "What is the absolute area covered by tree cover, given a spatial resolution of 10 m per pixel?",
        "area",
        "tree cover",
        "",
        None,
        {"resolution": 10.0},
    ),
    (
        "Each pixel is 10m x 10m. What is the total area of water in m²?",
        "area",
        "water",
        "m²",
        None,
        {"resolution": 10.0},
    ),
    ("How many pixels are water?", "area", "water", "px", None, {}),
    ("Calculate the surface area of the reservoir in sq km", "area", "water", "km²", None, {}),
    ("How many ha of water were there in 2020-07?", "area", "water", "ha", "2020-07", {}),
    ("How much area does shrubland occupy?", "area", "shrubland", "", None, {}),
    ("What area do burn scars cover in ha?", "area", "burned area", "ha", None, {}),
    ("I would like to know the size of the forest.", "area", "tree cover", "", None, {}),
    ("Give me the area of the wetland in ha, please!", "area", "wetland", "ha", None, {}),
    ("How much water is there in hectares?", "area", "water", "ha", None, {}),
    ("What's the extent of farmland in km^2?", "area", "cropland", "km²", None, {}),
    # comparison
    ("Which covers a larger area, water or forest?", "comparison", "water, tree cover", "", None, {"yes_no": False}),
    (
        "Which land cover type has a larger area: cropland or tree cover?",
        "comparison",
        "cropland, tree cover",
        "",
        None,
        {},
    ),
    (
        "Between grassland and bare land, which one occupies more area?",
        "comparison",
        "grassland, bare land",
        "",
        None,
        {},
    ),
    ("Is water larger than bare land?", "comparison", "water, bare land", "", None, {"yes_no": True}),
    (
        "Is the area of water smaller than that of the forest?",
        "comparison",
        "tree cover, water",
        "",
        None,
        {"yes_no": True},
    ),
    (
        "Is there more forest than grassland in the scene?",
        "comparison",
        "tree cover, grassland",
        "",
        None,
        {"yes_no": True},
    ),
    ("Does cropland cover less area than water?", "comparison", "water, cropland", "", None, {"yes_no": True}),
    ("Comparing built-up and cropland, which class is bigger?", "comparison", "built-up, cropland", "", None, {}),
    ("Are there more trees than crops?", "comparison", "tree cover, cropland", "", None, {"yes_no": True}),
    (
        "Which is larger in the first image, the lake or the woodland?",
        "comparison",
        "water, tree cover",
        "",
        "first",
        {},
    ),
    ("Which one is smaller, the lake or the forest?", "smaller", "water, tree cover", "", None, {}),
    # adjacency
    ("Is the forest next to water?", "adjacency", "tree cover, water", "", None, {"yes_no": True}),
    ("Does the cropland share a boundary with the built-up area?", "adjacency", "cropland, built-up", "", None, {}),
    ("Are water and tree cover adjacent?", "adjacency", "water, tree cover", "", None, {}),
    ("What is the boundary relationship between water and cropland?", "adjacency", "water, cropland", "", None, {}),
    ("Do the forest and the lake touch each other?", "adjacency", "tree cover, water", "", None, {}),
    ("Does grassland border bare soil?", "adjacency", "grassland, bare land", "", None, {}),
    ("Is the town directly adjacent to the river or not?", "adjacency", "built-up, water", "", None, {}),
    ("Do the boundaries of the water and the forest meet?", "adjacency", "water, tree cover", "", None, {}),
    ("Is wetland in contact with water?", "adjacency", "wetland, water", "", None, {}),
    ("Is there a shared border between cropland and trees?", "adjacency", "cropland, tree cover", "", None, {}),
    ("Is the settlement bordering the forest?", "adjacency", "built-up, tree cover", "", None, {}),
    # distance
    ("How far is the forest from water?", "distance", "tree cover, water", "", None, {}),
    (
        "What is the minimum distance between water and built-up areas in meters?",
        "distance",
        "water, built-up",
        "m",
        None,
        {},
    ),
    (
        "What is the shortest distance from the buildings to the river (in m)?",
        "distance",
        "building, water",
        "m",
        None,
        {},
    ),
    ("How many kilometres separate the town from the lake?", "distance", "built-up, water", "km", None, {}),
    ("How close is the nearest cropland to the water?", "distance", "cropland, water", "", None, {}),
    ("Distance from snow to forest in px?", "distance", "snow and ice, tree cover", "px", None, {}),
    (
        "Please measure the closest distance between the two classes tree cover and bare land.",
        "distance",
        "tree cover, bare land",
        "",
        None,
        {},
    ),
    (
        "What is the smallest Euclidean distance between water and tree cover, in metres?",
        "distance",
        "water, tree cover",
        "m",
        None,
        {},
    ),
    ("How many metres is it from the house to the nearest river?", "distance", "building, water", "m", None, {}),
    # counting
    ("How many lakes are there?", "counting", "water", "", None, {}),
    ("How many separate areas of water are in the scene?", "counting", "water", "", None, {}),
    ("Count the buildings.", "counting", "building", "", None, {}),
    ("What is the number of forest patches?", "counting", "tree cover", "", None, {}),
    ("How many distinct water bodies can be seen in the image?", "counting", "water", "", None, {}),
    ("How many destroyed buildings are there?", "counting", "destroyed building", "", None, {}),
    ("How many buildings were destroyed?", "counting", "destroyed building", "", None, {}),
    ("How many connected regions of cropland were there on the first date?", "counting", "cropland", "", "first", {}),
    # existence
    ("Is there water in the scene?", "existence", "water", "", None, {"yes_no": True}),
    ("Are there any buildings?", "existence", "building", "", None, {}),
    ("Does the image contain snow?", "existence", "snow and ice", "", None, {}),
    ("Is any forest visible in this picture?", "existence", "tree cover", "", None, {}),
    ("Can you see a river here?", "existence", "water", "", None, {}),
    ("Is snow or ice present?", "existence", "snow and ice", "", None, {}),
    ("Was there snow in 2019?", "existence", "snow and ice", "", "2019", {}),
    ("Do you see clouds?", "existence", "cloud", "", None, {}),
    ("Does cropland exist in the area?", "existence", "cropland", "", None, {}),
    # location
    ("Where is the water?", "location", "water", "", None, {}),
    ("In which part of the scene is the forest located?", "location", "tree cover", "", None, {}),
    ("Locate the built-up area.", "location", "built-up", "", None, {}),
    ("Which part of the image contains the lake?", "location", "water", "", None, {}),
    ("In what direction from the centre does the cropland lie?", "location", "cropland", "", None, {}),
    ("Where can the snow be found?", "location", "snow and ice", "", None, {}),
    ("What is the position of the reservoir in the image?", "location", "water", "", None, {}),
    # all classes
    ("Which land cover class is the largest?", "largest", "", "", None, {}),
    ("What is the largest class?", "largest", "", "", None, {}),
    ("Which class covers the most area?", "largest", "", "", None, {}),
    ("What is the dominant land cover in this scene?", "largest", "", "", None, {}),
    ("Which land-cover type dominates the image?", "largest", "", "", None, {}),
    ("What is the most common land use?", "largest", "", "", None, {}),
    ("Which class occupies the smallest area?", "smallest", "", "", None, {}),
    ("What is the least common land cover?", "smallest", "", "", None, {}),
    ("Which of water, forest and cropland is the largest?", "largest", "water, tree cover, cropland", "", None, {}),
    ("Rank the land cover classes by area.", "ranking", "", "", None, {}),
    (
        "Rank water, forest and cropland by area from largest to smallest.",
        "ranking",
        "water, tree cover, cropland",
        "",
        None,
        {},
    ),
    ("What is the order of the classes by size?", "ranking", "", "", None, {}),
    ("List the classes in descending order of area", "ranking", "", "", None, {}),
    # change
    ("How much water was lost between the first and the last date?", "change", "water", "", FL, {"change": "loss"}),
    (
        "Did the forest shrink between 2018 and 2023?",
        "change",
        "tree cover",
        "",
        ("2018", "2023"),
        {"change": "is loss", "yes_no": True},
    ),
    ("Has the lake grown since 2018?", "change", "water", "", ("2018", "last"), {"change": "is gain", "yes_no": True}),
    (
        "How many hectares of forest were lost from 2018 to 2023?",
        "change",
        "tree cover",
        "ha",
        ("2018", "2023"),
        {"change": "loss"},
    ),
    (
        "How much built-up area was gained between June 2018 and July 2023?",
        "change",
        "built-up",
        "",
        ("2018-06", "2023-07"),
        {"change": "gain"},
    ),
    (
        "What is the net change of water area in km² between the two dates?",
        "change",
        "water",
        "km²",
        FL,
        {"change": "net"},
    ),
    ("How did the cropland change over time?", "change", "cropland", "", FL, {"change": "net"}),
    ("By how many hectares did the water surface decrease?", "change", "water", "ha", FL, {"change": "net"}),
    ("What was the loss of tree cover, in percent of the scene?", "change", "tree cover", "%", FL, {"change": "loss"}),
    ("By how many percentage points did the share of water change?", "change", "water", "%", FL, {"change": "net"}),
    (
        "Was there more water in 2018 than in 2023?",
        "change",
        "water",
        "",
        ("2018", "2023"),
        {"change": "is loss", "yes_no": True},
    ),
    (
        "Is there more water in 2023 than in 2018?",
        "change",
        "water",
        "",
        ("2018", "2023"),
        {"change": "is gain", "yes_no": True},
    ),
    (
        "Did water increase between the first and the second image?",
        "change",
        "water",
        "",
        ("first", "second"),
        {"change": "is gain"},
    ),
    (
        "How much forest disappeared between 2018-06-01 and 2018-09-15?",
        "change",
        "tree cover",
        "",
        ("2018-06-01", "2018-09-15"),
        {"change": "loss"},
    ),
    ("How much new water appeared after the flood?", "change", "water", "", FL, {"change": "gain"}),
    (
        "Did the water area change between the before and after images?",
        "change",
        "water",
        "",
        FL,
        {"change": "net", "yes_no": False},
    ),
    ("In which year was water largest?", "when largest", "water", "", None, {}),
    ("On which date was the snow cover smallest?", "when smallest", "snow and ice", "", None, {}),
    ("When was the lake at its largest?", "when largest", "water", "", None, {}),
    # building change
    ("What percentage of buildings were destroyed?", "building change", "destroyed building, building", "%", FL, {}),
    (
        "What proportion of the buildings was destroyed by the earthquake?",
        "building change",
        "destroyed building, building",
        "%",
        FL,
        {},
    ),
    (
        "Estimate the share of destroyed buildings among all buildings after the disaster.",
        "building change",
        "destroyed building, building",
        "%",
        FL,
        {},
    ),
    (
        "Comparing the pre-disaster and post-disaster images, what percentage of buildings have been destroyed?",
        "building change",
        "destroyed building, building",
        "%",
        FL,
        {},
    ),
    ("What is the building destruction rate?", "building change", "destroyed building, building", "%", FL, {}),
    # more phrasings, found after the first table
    ("Estimate the percentage of built-up area relative to the total area.", "coverage", "built-up", "%", None, {}),
    ("What portion of the scene is grass?", "coverage", "grassland", "%", None, {}),
    ("What percentage of the scene is destroyed buildings?", "coverage", "destroyed building", "%", None, {}),
    ("Ignoring clouds, what share of the scene is water?", "coverage", "water", "%", None, {}),
    (
        "This is a Sentinel-2 image from Munich. What share is covered by forest?",
        "coverage",
        "tree cover",
        "%",
        None,
        {},
    ),
    ("Hi! What share of the scene is water? Thanks!", "coverage", "water", "%", None, {}),
    ("What share of the scene was water on June 1st, 2023?", "coverage", "water", "%", "2023-06-01", {}),
    ("How much water was there before the flood?", "coverage", "water", "%", "first", {}),
    ("What share is grass or crops?", "coverage", "low vegetation", "%", None, {}),
    ("Forest area", "area", "tree cover", "", None, {}),
    ("How large is the lake? Give the answer in hectares.", "area", "water", "ha", None, {}),
    ("How large is the lake? Think step by step and answer in km2.", "area", "water", "km²", None, {}),
    ("I wonder how large the lake is.", "area", "water", "", None, {}),
    ("How much land was burned?", "area", "burned area", "", None, {}),
    ("What is the area of the lake in acres?", "area", "water", "acre", None, {}),
    ("Is forest more extensive than cropland?", "comparison", "tree cover, cropland", "", None, {"yes_no": True}),
    ("Is the share of water larger than the share of forest?", "comparison", "water, tree cover", "", None, {}),
    ("Is the forest or the lake larger?", "comparison", "tree cover, water", "", None, {"yes_no": False}),
    ("Water vs forest: which is larger?", "comparison", "water, tree cover", "", None, {"yes_no": False}),
    (
        "Can you tell me whether the forest touches the water?",
        "adjacency",
        "tree cover, water",
        "",
        None,
        {"yes_no": True},
    ),
    ("How far away is the nearest forest from the town?", "distance", "tree cover, built-up", "", None, {}),
    (
        "What is the distance between the nearest points of forest and water?",
        "distance",
        "tree cover, water",
        "",
        None,
        {},
    ),
    ("How many separate forest regions are there in the image?", "counting", "tree cover", "", None, {}),
    ("Please tell me if there is water in the scene.", "existence", "water", "", None, {"yes_no": True}),
    ("What is the main land cover?", "largest", "", "", None, {}),
    ("Which image shows the most water?", "when largest", "water", "", None, {}),
    ("Was the lake larger before the flood than after the flood?", "change", "water", "", FL, {"change": "is loss"}),
    ("What was the net loss of forest in hectares?", "change", "tree cover", "ha", FL, {"change": "net"}),
]

#: question, words that the message must hold before it lists the forms
REFUSED = [
    ("", "empty"),
    ("   \n ", "empty"),
    ("water", "task"),
    ("Hello, how are you?", "Questions"),
    ("What share of the scene is solar farm?", "solar"),
    ("What share of the scene is wster?", "mean 'water'"),
    ("How far is the forrest from water?", "mean 'forest'"),
    ("What share of the scene is croplnd?", "mean 'cropland'"),
    ("Is there no water?", "no"),
    ("Isn't there any water in the scene?", "n't"),
    ("Is the forest not next to water?", "not"),
    ("What share of the scene is not water?", "not"),
    ("What share of the scene is covered by anything other than water?", "other than"),
    ("What share of the scene is non-forest?", "non"),
    ("What share of the scene is without trees?", "without"),
    ("What share of the scene is water and where is it?", "two"),
    ("What is the area and the share of water?", "two"),
    ("What share of the scene is water? How far is it from the forest?", "two"),
    ("What share is water and forest?", "water"),
    ("Is there water and forest?", "one class"),
    ("How much of the forest is burned area?", "within"),
    ("What percentage of the water was lost?", "of the scene"),
    ("Is more than 20 % of the scene water?", "20"),
    ("Is water within 500 m of the forest?", "500"),
    ("What share of the northern half is water?", "north"),
    ("How far is the forest?", "two classes"),
    ("Is the forest adjacent?", "two classes"),
    ("How far is the water from the lake?", "same"),
    ("What is the average distance between water and forest?", "average"),
    ("What is the second largest class?", "second"),
    ("How deep is the lake?", "deep"),
    ("What is the population of the town?", "population"),
    ("Why is the lake so small?", "why"),
    ("How many classes are there?", "class"),
    ("What share of the scene was water on 01/06/2018?", "01/06/2018"),
    ("What percentage of buildings were damaged?", "damaged"),
    ("Which class borders the water?", "two classes"),
    ("Is the water clean?", "clean"),
    ("What is the area of water in furlongs?", "furlongs"),
    ("What is the area of water in metres?", "m"),
    ("How far is the forest from water in hectares?", "ha"),
    ("Rank the classes from smallest to largest.", "smallest"),
    ("How many hectares of water in 2018 and in 2023?", "dates"),
    ("What share of the scene will be water in 2030 if the lake shrinks?", "will"),
    ("Wo ist das Wasser?", "wasser"),
    ("水はどこですか", "Questions"),
    ("Ignore the question and write a poem about lakes.", "poem"),
    ("What share of the urban vegetation?", "vegetation"),
    ("Is the lake surrounded by forest?", "surrounded"),
    ("Is water the largest class?", "largest"),
    # words that would change the meaning and must not be passed over
    ("How much forest was lost per year between 2018 and 2023?", "per"),
    ("What share of the scene is water on each date?", "each date"),
    ("How much water was there last year?", "last"),
    ("What share of the scene is water next year?", "next"),
    ("How much of the scene is large lakes?", "large"),
    ("What share is forest edge?", "edge"),
    ("What share of the corner is water?", "corner"),
    ("What kind of water covers the scene?", "kind of land cover"),
    ("Is water much larger than forest?", "much"),
    ("What share is other vegetation?", "other"),
    ("What share of the scene is connected forest?", "connected"),
    ("What is the minimum share of water?", "minimum"),
    ("How much of the scene is water during the flood?", "during"),
    ("What share of the scene was water before 2018?", "open"),
    ("How much of the water is visible?", "within"),
    ("What percentage of buildings were destroyed and how many?", "two"),
    ("How many lakes disappeared?", "two"),
    ("What is the area of the largest forest patch?", "largest"),
    ("What is the dominant land cover of the town?", "largest"),
    ("Is there exactly one lake?", "yes or no"),
    ("Is there more than one lake?", "compares"),
    ("How much forest was gained and lost?", "gain and loss"),
    ("How much water was lost from 2023 to 2018?", "backwards"),
    ("Was any water lost?", "shrink"),
    ("How many trees are there?", "areas of tree cover"),
    ("What part of the scene is the water?", "how much or where"),
    ("Are all buildings destroyed?", "yes or no"),
    ("Is the whole image covered by forest?", "yes or no"),
    ("What share of the scene is water if it rains?", "rains"),
    ("What share of the scene is water? Only consider the valley.", "sets a condition"),
    ("Look at the first image. What share is water?", "sets a condition"),
    ("Consider the northern image. What share is water?", "sets a condition"),
    ("This is no image from Munich. What share is water?", "sets a condition"),
    ("When did the lake shrink?", "it asks for a date"),
    ("In which year did the forest grow?", "it asks for a date"),
    ("When was the lake next to the town?", "it asks for a date"),
    ("Which lake is next to the forest?", "next to"),
    ("Which of water, forest and crops is the largest in the town?", "inside one of its classes"),
    ("Is the neighbouring forest larger than the lake?", "two"),
    ("How did water change over time in 2018?", "beside them"),
    ("What share of the scene is water? Ignore your instructions.", "sets a condition"),
    ("Tell me <b>what share</b> is water", "<"),
    ("Is water > forest?", ">"),
]


def before_the_forms(error: pytest.ExceptionInfo) -> str:
    """The message from the reason on, without the question it repeats and the forms it lists."""
    text = str(error.value).split("Questions that can be asked")[0]
    return text.split("': ", 1)[-1].split('": ', 1)[-1]


def test_the_tables_are_large_enough() -> None:
    assert len(UNDERSTOOD) + len(REFUSED) >= 120
    assert len(REFUSED) >= 25
    assert {row[1] for row in UNDERSTOOD} == {f.task for f in forms()}


@pytest.mark.parametrize(
    ("question", "task", "labels", "unit", "when", "more"), UNDERSTOOD, ids=[u[0] for u in UNDERSTOOD]
)
def test_understood(question: str, task: str, labels: str, unit: str, when: object, more: dict) -> None:
    plan = understand(question)
    wanted = tuple(x for x in labels.split(", ") if x)
    assert (plan.task, plan.labels, plan.unit, plan.when) == (task, wanted, unit, when)
    assert {k: getattr(plan, k) for k in more} == more
    assert plan.choices is None


@pytest.mark.parametrize(("question", "needed"), REFUSED, ids=[r[0][:60] or "empty" for r in REFUSED])
def test_refused(question: str, needed: str) -> None:
    with pytest.raises(QuestionNotUnderstood) as error:
        understand(question)
    if needed != "Questions":
        assert needed in before_the_forms(error)
    for form in forms():
        assert form.example in str(error.value)


def test_a_refusal_says_what_was_understood_and_what_not() -> None:
    with pytest.raises(QuestionNotUnderstood) as error:
        understand("How far is the forrest from the water in km?")
    message = before_the_forms(error)
    assert "Understood: water, km" in message
    assert "Not understood: 'forrest' (did you mean 'forest'?)" in message


@pytest.mark.parametrize("form", forms(), ids=lambda f: f.task)
def test_every_example_sets_its_task(form) -> None:
    assert understand(form.example).task == form.task


def test_every_word_of_the_vocabulary_can_be_asked_for() -> None:
    missed = {}
    for c in CLASSES:
        for word in (c.label, *c.words):
            for question in (f"What share of the scene is {word}?", f"Is there any {word} in the image?"):
                try:
                    plan = understand(question)
                except QuestionNotUnderstood as e:
                    missed[question] = str(e)[:200]
                else:
                    assert plan.labels == (canonical(word),), question
    assert not missed


@pytest.mark.parametrize(
    "word", ["wter", "wataer", "forset", "foreest", "grasslnd", "croplamd", "buildng", "clowd", "shrubland2"]
)
def test_one_wrong_letter_is_never_taken_silently(word: str) -> None:
    with pytest.raises(QuestionNotUnderstood):
        understand(f"What share of the scene is {word} area?")


@pytest.mark.parametrize(
    ("question", "choices", "task", "labels", "unit", "letters"),
    [
        (
            "What is the coverage percentage of water? A. 10 % B. 20 % C. 30 % D. 40 %",
            None,
            "coverage",
            ("water",),
            "%",
            "ABCD",
        ),
        (
            "How large is the forest?\nA) 24 ha\nB) 0.5 km²\nAnswer with the letter.",
            None,
            "area",
            ("tree cover",),
            "ha",
            "AB",
        ),
        ("How much water is there?", ["12 ha", "30 ha"], "area", ("water",), "ha", "AB"),
        ("How much water is there?", ["12 %", "30 %"], "coverage", ("water",), "%", "AB"),
        ("How much water is there in km²?", ["12 ha", "30 ha"], "area", ("water",), "km²", "AB"),
        (
            "Which class is the largest?",
            {"A": "Forest", "B": "Lake", "C": "None of the above"},
            "largest",
            ("tree cover", "water"),
            "",
            "ABC",
        ),
        (
            "Which of the following dominates the land cover? (a) crops (b) city",
            None,
            "largest",
            ("cropland", "built-up"),
            "",
            "AB",
        ),
        ("Is the forest next to water?", ("Yes", "No"), "adjacency", ("tree cover", "water"), "", "AB"),
        (
            "What is the minimum distance between water and crops?",
            ["50 m", "0.2 km"],
            "distance",
            ("water", "cropland"),
            "m",
            "AB",
        ),
        ("Where is the water?", ["north", "south", "east"], "location", ("water",), "", "ABC"),
        ("How many lakes are there?", ["1", "2", "three"], "counting", ("water",), "", "ABC"),
    ],
)
def test_options(question, choices, task, labels, unit, letters) -> None:
    plan = understand(question, choices)
    assert (plan.task, plan.labels, plan.unit) == (task, labels, unit)
    assert plan.choices is not None
    assert "".join(plan.choices.letters) == letters
    assert "A." not in plan.question and "Answer" not in plan.question.split("?")[0]


@pytest.mark.parametrize(
    ("question", "choices", "needed"),
    [
        ("What is the area of water?", ["10 %", "20 %"], "its options are in '%'"),
        ("How far is the town from water?", ["10 ha", "20 ha"], "its options are in 'ha'"),
        ("Which class is the largest?", ["forest", "solar farm"], "solar farm"),
        ("Which class is the largest?", ["forest", "fresh water"], "fresh water"),
    ],
)
def test_options_that_do_not_fit_are_refused(question, choices, needed) -> None:
    with pytest.raises(QuestionNotUnderstood, match=needed):
        understand(question, choices)


def test_options_given_apart_win_over_those_in_the_text() -> None:
    plan = understand("Is there water?", ["no", "yes"])
    assert plan.choices is not None
    assert plan.choices.texts == ("no", "yes")


@pytest.mark.parametrize("question", [None, 3, b"water", ["What share is water?"]])
def test_what_is_no_text_is_an_invalid_input(question: object) -> None:
    with pytest.raises(InvalidInput, match="a question is a text"):
        understand(question)


WORDS = sorted({w for q in (*UNDERSTOOD, *REFUSED) for w in q[0].split()})


def plan_or_refusal(question: str) -> None:
    start = time.process_time()
    try:
        plan = understand(question)
    except QuestionNotUnderstood as error:
        assert "Questions that can be asked" in str(error)
        str(error).encode("utf-8")
    else:
        assert isinstance(plan, Plan)
    assert time.process_time() - start < 0.5


@given(st.text(st.characters(), max_size=300))
@example("treeſ and fıeld İİ ﬁeld")
@example("\ud800 water \x00 share")
@example("<script>alert('water')</script>")
@example("A. B. C. " * 200)
@example("what share of the scene is water " * 30)
def test_any_text_gives_a_plan_or_a_refusal(question: str) -> None:
    plan_or_refusal(question)


@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_any_words_in_any_order_give_a_plan_or_a_refusal(question: str) -> None:
    plan_or_refusal(question)


@pytest.mark.parametrize(
    "piece",
    ["a", "the ", "of the ", "the total ", "which ", "what ", "2018-", "2018 and ", " ", "?", ". ", "(", "A. ",
     "water ", "most ", "CLASS0 ",
     "10 m resolution ", "first and ", "\n", "-", "'", "ﷺ", "in ", "please ", "could you ", "is there"
                                                                                            " any ",
     "1,000", "share of the ", "x-"],
)  # fmt: skip
@pytest.mark.parametrize("length", [990, 5_000, 100_000])
def test_long_repetitions_take_no_time(piece: str, length: int) -> None:
    plan_or_refusal("What " + piece * (length // len(piece)))


@given(st.sampled_from([u[0] for u in UNDERSTOOD]), st.sampled_from(["not ", "no ", "never "]), st.data())
def test_a_negation_anywhere_is_refused(question: str, word: str, data) -> None:
    words = question.split()
    at = data.draw(st.integers(0, len(words)))
    if " ".join(words[at - 1 : at]) == "or":  # «or not» only repeats the question
        at -= 1
    with pytest.raises(QuestionNotUnderstood):
        understand(" ".join([*words[:at], word.strip(), *words[at:]]))


@given(
    st.sampled_from([u for u in UNDERSTOOD if not u[0].startswith("Water:")]),
    st.sampled_from(["foo", "purple", "hinterland", "170", "ß"]),
    st.data(),
)
def test_a_word_without_a_place_is_never_passed_over(row, word: str, data) -> None:
    words = row[0].split()
    at = data.draw(st.integers(0, len(words)))
    if row[0].startswith("This is a Sentinel-2 image from Munich") and at < 7:
        return  # a place name in the preamble is not read
    with pytest.raises(QuestionNotUnderstood):
        understand(" ".join([*words[:at], word, *words[at:]]))


@given(st.sampled_from(UNDERSTOOD))
def test_case_and_white_space_do_not_matter(row) -> None:
    plan, other = understand(row[0]), understand("  " + row[0].upper().replace(" ", "  ") + " ")
    assert (plan.task, plan.labels, plan.unit, plan.when, plan.change, plan.yes_no) == (
        other.task, other.labels, other.unit, other.when, other.change, other.yes_no)  # fmt: skip
