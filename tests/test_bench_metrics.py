"""Scores, intervals and tests of runs: against small cases by hand, against scipy, and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from terrascope_nb.bench.compare import compare
from terrascope_nb.bench.intervals import (
    FEW,
    MIN_IMAGES,
    clopper_pearson,
    correlation_by_image,
    difference_by_image,
    mean_by_image,
    paired_by_image,
)
from terrascope_nb.bench.metrics import counted, reliability, summarise
from terrascope_nb.bench.results import Result, Results
from terrascope_nb.bench.significance import chance_range, holm, permutation_p
from terrascope_nb.bench.summary import percent
from terrascope_nb.errors import InvalidInput, NotFound
from terrascope_nb.reason.answers import LETTER_RULES


def rng():
    return np.random.default_rng(0)


def row(name, ok, image="i0", task="absolute_area", **more):
    known = {"letters": dict.fromkeys(LETTER_RULES, "A" if ok else "B"), "correct": dict.fromkeys(LETTER_RULES, ok)}
    return Result(name, image, task, "", "A", options=4, **{**known, **more})


def run_of(rows, digest="d", name="told", **header):
    return Results(
        tuple(rows),
        {
            "suite": {"name": "s", "digest": digest, "rows": len(rows)},
            "reasoner": {"name": name, "options": {}},
            **header,
        },
    )


# ---- exact intervals and chance --------------------------------------------------------------------------------------
@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95, 0.99])
)
def test_clopper_pearson_is_scipys(counts, level):
    k, n = counts
    theirs = stats.binomtest(k, n).proportion_ci(level, "exact")
    assert clopper_pearson(k, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(st.integers(1, 400), st.integers(2, 6), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_range_of_chance_is_the_binomial_one(n, options, level):
    low, high = chance_range([options] * n, level)
    tail = (1 - level) / 2
    assert round(low * n) == stats.binom.ppf(tail, n, 1 / options)
    k = round(high * n)
    assert stats.binom.sf(k, n, 1 / options) <= tail + 1e-9 < stats.binom.sf(k - 1, n, 1 / options) + 2e-9


def test_the_range_of_chance_with_mixed_options_by_hand():
    # two rows of 2 options and one of 4: P(0 right) = 1/2 · 1/2 · 3/4 = 3/16, P(3 right) = 1/16
    assert chance_range([2, 2, 4], 0.75) == (0, 2 / 3)  # 1/8 a side: 1/16 lies beyond 2, 3/16 would lie below 1
    assert chance_range([2, 2, 4], 0.99) == (0, 1)
    with pytest.raises(InvalidInput, match="one number a row"):
        chance_range([])


# ---- intervals by image ----------------------------------------------------------------------------------------------
def test_the_bootstrap_by_image_agrees_with_the_sandwich_formula():
    many, per = 200, 4
    good = rng().beta(2, 1, many)
    x = (np.random.default_rng(1).random((many, per)) < good[:, None]).astype(float)
    images = np.repeat([f"i{k}" for k in range(many)], per)
    e = mean_by_image(x.ravel(), images, rng(), resamples=4000)
    centred = (x - x.mean()).sum(1)
    sd = np.sqrt((centred**2).sum()) / x.size
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * sd, rel=0.06)
    alone = mean_by_image(x.ravel(), [str(k) for k in range(x.size)], rng(), resamples=4000)
    assert alone.high - alone.low < 0.9 * (e.high - e.low)  # rows taken as independent would promise too much
    assert (e.rows, e.images) == (800, 200)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    draws = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        good = draws.beta(3, 2, 40)
        x = (draws.random((40, 5)) < good[:, None]).astype(float)
        e = mean_by_image(x.ravel(), np.repeat(np.arange(40).astype(str), 5), draws, resamples=400)
        inside += e.low <= 0.6 <= e.high
    assert 178 <= inside <= 199  # of 200, at 95 %


def test_with_nearly_no_mistake_each_image_is_one_trial():
    images = np.repeat([str(k) for k in range(20)], 3)
    perfect = mean_by_image(np.ones(60), images, rng())
    assert (perfect.low, perfect.high) == pytest.approx((0.025 ** (1 / 20), 1))
    assert "no image has a mistake" in perfect.how
    none = mean_by_image(np.zeros(60), images, rng())
    assert (none.low, none.high) == pytest.approx((0, 1 - 0.025 ** (1 / 20)))
    one = mean_by_image([0.0] + [1.0] * 59, images, rng())
    assert one.low < perfect.low < 59 / 60 < one.high < 1  # one mistake never gives a narrower lower side
    assert "only one image has a mistake" in one.how
    uneven = mean_by_image(np.ones(31), ["0"] * 12 + [str(k) for k in range(1, 20)], rng())
    assert uneven.low < perfect.low  # an image with many rows counts for fewer than twenty equal ones


def test_where_all_images_give_one_figure_the_interval_is_not_of_zero_width():
    e = mean_by_image([1.0, 0.0] * 20, np.repeat([str(k) for k in range(20)], 2), rng())
    assert e.value == 0.5 and e.low < 0.35 and e.high > 0.65
    assert "all images give one figure" in e.how


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=80))
def test_an_interval_holds_its_figure_lies_in_0_to_1_and_is_never_of_zero_width(rows):
    e = mean_by_image([float(x) for x, _ in rows], [str(i) for _, i in rows], rng(), resamples=200)
    if len({i for _, i in rows}) < MIN_IMAGES:
        assert not e.has_interval and "are needed" in e.how
    else:
        assert 0 <= e.low < e.high <= 1 and e.low <= e.value <= e.high


def test_the_order_of_rows_changes_nothing():
    rows = [row(f"r{k:03d}", k % 3 > 0, f"i{k % 17}") for k in range(60)]
    turned = [rows[k] for k in np.random.default_rng(5).permutation(60)]
    a, b = summarise(rows, resamples=300), summarise(turned, resamples=300)
    assert (a.micro, a.macro, a.tasks[0].accuracy) == (b.micro, b.macro, b.tasks[0].accuracy)
    assert summarise(rows, seed=1, resamples=300).micro != a.micro


def test_the_macro_average_weighs_tasks_alike():
    x = [1.0] * 30 + [0.0] * 10
    tasks = ["a"] * 30 + ["b"] * 10
    e = mean_by_image(x, [str(k) for k in range(40)], rng(), strata=tasks)
    assert e.value == 0.5
    varied = [1.0, 0.0, 1.0] * 10 + [0.0, 1.0] * 5
    e = mean_by_image(varied, [str(k) for k in range(40)], rng(), strata=tasks, resamples=4000)
    sd = np.sqrt((2 / 9 / 30 + 1 / 4 / 10) / 4)
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * sd, rel=0.08)


def test_r_is_scipys_point_biserial_r_and_its_interval_is_about_fishers():
    draws = rng()
    right = draws.random(300) < 0.5
    score = np.clip(0.5 + 0.2 * right + draws.normal(0, 0.2, 300), 0, 1)
    e = correlation_by_image(right, score, [str(k) for k in range(300)], rng(), resamples=4000)
    theirs = stats.pointbiserialr(right, score).statistic
    assert e.value == pytest.approx(theirs)
    low, high = np.tanh(np.arctanh(theirs) + np.array([-1.96, 1.96]) / np.sqrt(297))
    assert (e.low, e.high) == pytest.approx((low, high), abs=0.03)
    still = correlation_by_image(np.ones(20), score[:20], [str(k) for k in range(20)], rng())
    assert still.value is None and "does not vary" in still.how


def test_the_difference_of_right_and_wrong():
    e = difference_by_image([0.8, 0.6], ["a", "b"], [0.3], ["a"], rng())
    assert e.value == pytest.approx(0.4) and not e.has_interval and "at least 10" in e.how
    draws = rng()
    a, b = draws.normal(0.7, 0.1, 200), draws.normal(0.5, 0.1, 200)
    images = [str(k) for k in range(200)]
    e = difference_by_image(a, images, b, images, rng(), resamples=4000)
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * np.std(a - b, ddof=1) / np.sqrt(200), rel=0.07)
    assert difference_by_image([], [], [0.3], ["a"], rng()).value is None


def test_paired_differences():
    e = paired_by_image([0.0] * 20, [str(k) for k in range(20)], rng())
    assert e.value == 0 and not e.has_interval and f"fewer than {FEW}" in e.how
    d = rng().choice([-1.0, 0.0, 1.0], 300)
    e = paired_by_image(d, [str(k) for k in range(300)], rng(), resamples=4000)
    assert (e.high - e.low) / 2 == pytest.approx(1.96 * d.std(ddof=1) / np.sqrt(300), rel=0.07)


# ---- permutation -----------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_the_permutation_test_goes_through_all_sign_flips(d):
    sums = [abs(np.dot(s, d)) for s in itertools.product((-1, 1), repeat=len(d))]
    by_hand = np.mean([x >= abs(sum(d)) for x in sums])
    assert permutation_p(d, rng()) == pytest.approx(by_hand)
    assert permutation_p([x / 7 for x in d], rng()) == pytest.approx(by_hand)  # fractions: gone through, too


def test_the_permutation_test_is_the_sign_test_where_rows_are_images():
    d = [1] * 14 + [-1] * 4 + [0] * 30
    assert permutation_p(d, rng()) == pytest.approx(stats.binomtest(4, 18).pvalue)
    drawn = permutation_p([x * 0.37 for x in d], rng(), draws=40_000)
    assert drawn == pytest.approx(stats.binomtest(4, 18).pvalue, abs=0.005)


def test_the_permutation_test_keeps_its_level():
    draws = np.random.default_rng(2)
    p = [permutation_p(draws.choice([-2, -1, 0, 1, 2], 40), draws) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) < 0.08
    assert permutation_p([0, 0], rng()) == 1
    assert permutation_p([1] * 200, rng()) < 1e-50


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1, 1)


# ---- summaries -------------------------------------------------------------------------------------------------------
def test_accuracy_by_task_macro_and_micro_by_hand():
    rows = [row(f"a{k}", k < 6, f"i{k}") for k in range(8)]
    rows += [row(f"b{k}", k < 1, f"i{k}", "boundary_relationship") for k in range(2)]
    s = summarise(run_of(rows))
    assert s.task("absolute_area").accuracy.value == 0.75 and s.task("absolute_area").right == 6
    assert s.micro.value == 0.7 and s.macro.value == 0.625
    assert [t.task for t in s.tasks] == ["absolute_area", "boundary_relationship"]
    assert (s.rows, s.images) == (10, 8)
    assert not s.micro.has_interval and "8 images" in s.micro.how
    with pytest.raises(NotFound, match="did you mean 'absolute_area'"):
        s.task("absolut_area")
    assert percent(s.micro) == "70.0 %"


def test_an_unreadable_image_is_wrong_by_our_rule_and_leaves_the_published_denominator():
    rows = [row("a", True), row("b", False, failed="image", error="ReadFailed: x"), row("c", False, failed="reasoner"),
            row("d", False, failed="blank")]  # fmt: skip
    s = summarise(run_of(rows))
    rules = {r.rule: r for r in s.rules}
    assert s.micro.value == pytest.approx(1 / 3)
    assert (rules["strict"].micro.rows, rules["strict"].left_out) == (3, 1)
    assert rules["terrascope-bench"].micro.value == 0.5
    assert (rules["terrascope-bench"].micro.rows, rules["terrascope-bench"].left_out) == (2, 2)
    assert s.failed == {"image": 1, "reasoner": 1, "blank": 1} and s.errors == {"ReadFailed: x": 1}
    with pytest.raises(InvalidInput, match="did you mean 'strict'"):
        counted(rows, "strikt")


def test_rows_without_a_right_letter_are_counted_nowhere():
    open_row = Result("o", "i", "absolute_area", "", "")
    assert summarise(run_of([row("a", True), open_row])).unscored == 1
    assert list(run_of([open_row])._repr_mimebundle_()) == ["text/plain"]
    with pytest.raises(InvalidInput, match="none of 1 rows can be scored: 1 have no right letter"):
        summarise(run_of([open_row]))


def test_rows_without_a_letter_are_wrong_and_told_apart():
    silent = dict.fromkeys(LETTER_RULES, "")
    rows = [row("a", True), row("b", False), row("c", False, letters=silent, finish="abstained")]
    s = summarise(run_of(rows))
    assert s.micro.value == pytest.approx(1 / 3)
    assert (s.answered, s.of_answered.value) == (2, 0.5)
    assert s.finishes == {"abstained": 1}
    assert {r.rule: r.unread for r in s.rules} == dict.fromkeys(LETTER_RULES, 1)


def test_claims_and_masks_by_hand():
    rows = [
        row(
            "a",
            True,
            iou=0.9,
            ious=(0.9,),
            matched=("label",),
            claims={"agrees": 3, "disagrees": 1, "not checkable": 5},
        ),
        row("b", False, iou=0.3, ious=(0.6, 0.0), matched=("label", "missing"), claims={"agrees": 0, "disagrees": 2}),
        row("c", True, iou=0.7, ious=(0.7,), matched=("order",)),
        row("d", True, why_no_iou="abstained: cloud"),
    ]
    s = summarise(run_of(rows))
    g = s.grounded
    assert (g.all.value, g.right.value, g.wrong.value) == pytest.approx((1.9 / 3, 0.8, 0.3))
    assert g.gap.value == pytest.approx(0.5)
    assert g.r.value == pytest.approx(stats.pearsonr([1, 0, 1], [0.9, 0.3, 0.7]).statistic)
    assert g.missing == {"abstained: cloud": 1} and g.matched == {"label": 2, "missing": 1, "order": 1}
    assert s.claims == {"agrees": 3, "disagrees": 3, "not checkable": 5}
    assert s.agreeing.value == pytest.approx((0.75 + 0) / 2)


def test_reliability_by_hand():
    scored = {"a": (True, 0.95), "b": (True, 1.0), "c": (False, 0.95), "d": (False, 0.05), "e": (True, None)}
    rows = [row(name, ok, score=score) for name, (ok, score) in scored.items()]
    r = reliability(rows)
    assert r.counts == (1, 0, 0, 0, 0, 0, 0, 0, 0, 3) and r.without == 1
    assert r.score[9] == pytest.approx(2.9 / 3) and r.accuracy[9] == pytest.approx(2 / 3) and r.score[5] is None
    assert r.ece == pytest.approx((0.05 + 3 * (2.9 / 3 - 2 / 3)) / 4)
    assert reliability([row("e", True)]).ece is None
    with pytest.raises(InvalidInput, match="at least 1"):
        reliability(rows, 0)


def test_intervals_by_place_are_wider_where_images_of_a_place_are_alike():
    rows = [row(f"r{k}", k // 12 % 2 == 0, f"i{k // 2}", place=f"p{k // 12}") for k in range(240)]
    image, place = summarise(run_of(rows)), summarise(run_of(rows), unit="place")
    assert (image.images, place.images, image.places) == (120, 20, 20)
    assert place.micro.high - place.micro.low > 2 * (image.micro.high - image.micro.low)
    with pytest.raises(InvalidInput, match="did you mean 'place'"):
        summarise(run_of(rows), unit="plase")


# ---- comparisons -----------------------------------------------------------------------------------------------------
def test_a_comparison_by_hand():
    tasks = ["absolute_area", "boundary_relationship"]
    a = [row(f"r{k}", k < 10, f"i{k}", tasks[k % 2], iou=0.5) for k in range(20)]
    b = [row(f"r{k}", k < 16 and k != 3, f"i{k}", tasks[k % 2], iou=0.5 + (k == 0) * 0.25) for k in range(20)]
    c = compare(run_of(a, name="first"), run_of(b, name="second"))
    assert (c.micro.a, c.micro.b, c.micro.change.value) == pytest.approx((0.5, 0.75, 0.25))
    assert (len(c.gained), len(c.lost), c.micro.only_a, c.micro.only_b) == (6, 1, 1, 6)
    assert c.micro.p == pytest.approx(stats.binomtest(1, 7).pvalue)
    assert c.lost[0][0].row == "r3" and [x.row for x, _ in c.moved] == ["r0"]
    assert c.micro.change.low < 0.25 < c.micro.change.high
    assert [t.p_corrected for t in c.tasks] == pytest.approx(list(holm([t.p for t in c.tasks])))
    assert c.macro.change.value == pytest.approx(0.25)
    assert c.iou.change.value == pytest.approx(0.0125)
    back = compare(run_of(b, name="second"), run_of(a, name="first"))
    assert back.micro.change.value == -c.micro.change.value and back.micro.p == c.micro.p
    assert "second against first" in str(c) and "25.0 points better" in c.verdict


def test_a_run_against_itself_differs_in_nothing():
    rows = [row(f"r{k}", k % 2 == 0, f"i{k}") for k in range(20)]
    c = compare(run_of(rows), run_of(rows))
    assert c.micro.p == 1 and c.micro.change.value == 0 and not c.micro.change.has_interval
    assert c.lost == c.gained == c.moved == () and "as good as A" in c.verdict


def test_rows_of_one_run_alone_are_left_out_and_counted():
    a = [row(f"r{k}", True, f"i{k}") for k in range(6)]
    b = [row(f"r{k}", True, f"i{k}", failed="blank" if k == 5 else "") for k in range(2, 8)]
    c = compare(run_of(a), run_of(b))
    assert (c.rows, c.unpaired) == (3, 5)
    with pytest.raises(InvalidInput, match="no row is counted in both"):
        compare(run_of(a[:1]), run_of(b))
    with pytest.raises(InvalidInput, match="different suites"):
        compare(run_of(a), run_of(b, digest="other"))


def test_a_comparison_by_place_exchanges_places():
    a = [row(f"r{k}", k < 30, f"i{k}", place=f"p{k // 5}") for k in range(60)]
    b = [row(f"r{k}", True, f"i{k}", place=f"p{k // 5}") for k in range(60)]
    image, place = compare(run_of(a), run_of(b)), compare(run_of(a), run_of(b), unit="place")
    assert image.micro.p == pytest.approx(2 / 2**30) and place.micro.p == pytest.approx(2 / 2**6)
    assert (image.images, place.images) == (60, 12)
