"""The choice between optical and SAR tokens, against a plain loop written from the equations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terrascope_nb.errors import InvalidInput

torch = pytest.importorskip("torch")

from terrascope_nb.model.fusion import choose, relevance  # noqa: E402


def made(seed: int, n: int = 12, d: int = 8, words: int = 5, scale: float = 1.0):  # noqa: ANN201
    g = torch.Generator().manual_seed(seed)
    optical, sar, queries = (torch.randn(k, d, generator=g) * scale for k in (n, n, words))
    tokens = torch.randperm(n, generator=g)[: max(1, n // 2)]
    return optical, sar, queries, tokens


def plain_beta(v: list[list[float]], q: list[list[float]]) -> list[float]:
    d = len(q[0])
    total = [0.0] * len(v)
    for word in q:
        scores = [sum(a * b for a, b in zip(row, word, strict=True)) / math.sqrt(d) for row in v]
        top = max(scores)
        up = [math.exp(s - top) for s in scores]
        for j, e in enumerate(up):
            total[j] += e / sum(up) / len(q)
    return total


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 9))
@settings(max_examples=40)
def test_equal_to_the_equations(seed: int, n: int, words: int) -> None:
    optical, sar, queries, tokens = made(seed, n, 8, words)
    beta = relevance(optical, queries)
    want = plain_beta(optical.tolist(), queries.tolist())
    assert beta.tolist() == pytest.approx(want, abs=1e-6)
    assert float(beta.sum()) == pytest.approx(1, abs=1e-5)
    other = plain_beta(sar.tolist(), queries.tolist())
    fused = choose(optical, sar, queries, tokens)
    for k, (row, is_sar) in enumerate(zip(fused.features, fused.from_sar, strict=True)):
        j = int(tokens[k])
        if abs(other[j] - want[j]) > 1e-6:
            assert bool(is_sar) == (other[j] > want[j])
        assert torch.equal(row, (sar if is_sar else optical)[j])
    logs = [relevance(v, queries, log=True) for v in (optical, sar)]
    assert torch.allclose(logs[0].exp(), beta, atol=1e-6)
    again = choose(optical, sar, queries, tokens, relevances=(logs[0], logs[1]))
    assert torch.equal(again.features, fused.features) and torch.equal(again.from_sar, fused.from_sar)


@pytest.mark.parametrize("scope", ["image", "selected"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_equal_images_give_the_optical_features(scope: str, dtype: str) -> None:
    optical, _, queries, tokens = made(1)
    optical, queries = optical.to(getattr(torch, dtype)), queries.to(getattr(torch, dtype))
    fused = choose(optical, optical.clone(), queries, tokens, scope=scope)
    assert torch.equal(fused.features, optical[tokens]) and fused.features.dtype == optical.dtype
    assert fused.sar_share == 0 and not fused.from_sar.any()


def test_sar_wins_only_where_strictly_larger() -> None:
    optical = torch.zeros(4, 2)
    queries = torch.tensor([[1.0, 0.0]])
    sar = optical.clone()
    sar[0, 0] = 1e-3  # a little more at token 0 is a little less everywhere else
    fused = choose(optical, sar, queries, torch.arange(4))
    assert fused.from_sar.tolist() == [True, False, False, False] and fused.sar_share == 0.25


def test_scope_decides_who_wins_everywhere() -> None:
    """Over the image SAR may win a whole region; over the region alone it never can (each β sums to one there)."""
    optical, sar = torch.zeros(6, 2), torch.zeros(6, 2)
    sar[:3, 0] = 5.0
    region, queries = torch.arange(3), torch.tensor([[1.0, 0.0]])
    assert choose(optical, sar, queries, region).from_sar.all()
    assert not choose(optical, sar, queries, region, scope="selected").from_sar.any()
    for seed in range(20):
        optical, sar, queries, tokens = made(seed)
        assert not choose(optical, sar, queries, tokens, scope="selected").from_sar.all()
        inside = relevance(optical[tokens], queries)
        assert float(inside.sum()) == pytest.approx(1, abs=1e-5)


def test_gradient_reaches_the_features_that_were_taken_and_no_other() -> None:
    optical, sar, queries, tokens = made(3)
    for t in (optical, sar, queries):
        t.requires_grad_()
    fused = choose(optical, sar, queries, tokens)
    assert 0 < fused.sar_share < 1, "a case where both are taken"
    fused.features.sum().backward()
    for t, taken in ((optical, tokens[~fused.from_sar]), (sar, tokens[fused.from_sar])):
        want = torch.zeros_like(t)
        want[taken] = 1
        assert torch.equal(t.grad, want)
    assert queries.grad is None


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_decides_as_double_does(dtype: str, scale: float) -> None:
    """Same rounded inputs, log β in double: every choice that is no near tie is the same, also where β underflows."""
    optical, sar, queries, _ = made(4, 256, 64, 20, scale)
    optical, sar, queries = (t.to(getattr(torch, dtype)) for t in (optical, sar, queries))
    beta = relevance(optical, queries)
    assert beta.dtype == torch.float32 and torch.isfinite(beta).all()
    assert float(beta.sum()) == pytest.approx(1, abs=1e-4)
    exact = [((t.double() @ queries.double().T) / 8).log_softmax(0).logsumexp(1) for t in (optical, sar)]
    fused = choose(optical, sar, queries, torch.arange(256))
    sure = (exact[1] - exact[0]).abs() > 1e-5 * (1 + scale**2)  # scores grow with its square
    assert torch.equal(fused.from_sar[sure], (exact[1] > exact[0])[sure]) and sure.sum() > 200


def test_autocast_does_not_lower_the_precision() -> None:
    optical, sar, queries, tokens = made(5, 64, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = choose(optical, sar, queries, tokens)
    assert torch.equal(inside.from_sar, choose(optical, sar, queries, tokens).from_sar)
    assert inside.features.dtype == torch.float32


def test_other_modes() -> None:
    optical, sar, queries, tokens = made(6)
    both = choose(optical, sar, queries, tokens, mode="concat")
    k = len(tokens)
    assert torch.equal(both.features, torch.cat([optical[tokens], sar[tokens]]))
    assert both.from_sar.tolist() == [False] * k + [True] * k and both.sar_share == 0.5
    assert choose(optical, sar, queries, tokens, mode="optical").sar_share == 0
    only = choose(optical, sar, queries, tokens, mode="sar")
    assert torch.equal(only.features, sar[tokens]) and only.sar_share == 1


@pytest.mark.parametrize("scope", ["image", "selected"])
@pytest.mark.parametrize("mode", ["adaptive", "concat", "optical", "sar"])
def test_an_empty_region_gives_no_feature(mode: str, scope: str) -> None:
    optical, sar, queries, _ = made(7)
    fused = choose(optical, sar, queries, torch.empty(0, dtype=torch.int64), mode, scope)
    assert fused.features.shape == (0, 8) and fused.from_sar.shape == (0,) and fused.sar_share == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mode": "adaptiv"}, "did you mean 'adaptive'"),
        ({"scope": "images"}, "did you mean 'image'"),
        ({"sar": torch.zeros(3, 8)}, "cut into tokens the same way"),
        ({"queries": torch.zeros(0, 8)}, "no token"),
        ({"queries": torch.zeros(2, 7)}, r"\(L, D\)"),
        ({"tokens": torch.tensor([12])}, "subtract the layout's offset"),
        ({"tokens": torch.tensor([-1])}, "subtract the layout's offset"),
        ({"tokens": torch.tensor([1.0])}, "int64"),
        ({"relevances": (torch.zeros(12), torch.zeros(11))}, r"\(12,\) each"),
        ({"relevances": (torch.zeros(12), torch.zeros(12)), "scope": "selected"}, "leave them out"),
    ],
)
def test_refusals_say_what_to_do(change: dict, says: str) -> None:
    optical, sar, queries, tokens = made(8)
    with pytest.raises(InvalidInput, match=says):
        choose(**({"optical": optical, "sar": sar, "queries": queries, "tokens": tokens} | change))
