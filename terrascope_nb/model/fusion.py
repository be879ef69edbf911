"""Fusion: for each visual token of a region, the sensor that fits the question better (equations 4, 5 of the paper)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from terrascope_nb._suggest import unknown
from terrascope_nb.errors import InvalidInput

MODES = ("adaptive", "concat", "optical", "sar")
SCOPES = ("image", "selected")


@dataclass(frozen=True, eq=False)
class Fused:
    """Features of one region, to be put into the sequence.

    Attributes
    ----------
    features : torch.Tensor
        (K, D), type and device of the inputs; (2K, D) for ``mode="concat"``: optical first, then SAR.
    from_sar : torch.Tensor
        (K,) or (2K,) bool: which rows are SAR's.
    """

    features: torch.Tensor
    from_sar: torch.Tensor

    @property
    def sar_share(self) -> float:
        """Share of the rows that came from SAR, 0…1; 0 for an empty region."""
        return float(self.from_sar.double().mean()) if len(self.from_sar) else 0.0


def relevance(features: torch.Tensor, queries: torch.Tensor, log: bool = False) -> torch.Tensor:
    """How much each visual token has to do with the question: β of equation 4.

    ``β_j = mean over ℓ of softmax_j(v_j · q_ℓ / √D)``, computed in float32 whatever the inputs are, without gradient.

    Parameters
    ----------
    features : torch.Tensor
        (N, D), visual tokens v of one sensor after the projector.
    queries : torch.Tensor
        (L, D), embeddings q of the question's tokens.
    log : bool
        Give log β, which tells apart what float32 rounds to zero.

    Returns
    -------
    torch.Tensor
        (N,) float32; β sums to one (when N > 0).

    Examples
    --------
    >>> relevance(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0]])).tolist()
    [0.5, 0.5]
    """
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise InvalidInput(
            f"features are (N, D) and queries (L, D), got {tuple(features.shape)} and {tuple(queries.shape)}"
        )
    if not len(queries):
        raise InvalidInput("the question has no token to compare with (L = 0): pass its embeddings as queries")
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        scores = features.float() @ (queries.float() * features.shape[1] ** -0.5).T
        if log:
            return scores.log_softmax(0).logsumexp(1) - math.log(len(queries))
        return scores.softmax(0).mean(1)


def choose(
    optical: torch.Tensor,
    sar: torch.Tensor,
    queries: torch.Tensor,
    tokens: torch.Tensor,
    mode: str = "adaptive",
    scope: str = "image",
    relevances: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> Fused:
    """Take each token of a region from the sensor that fits the question better (equation 5).

    SAR is taken only where its β is strictly larger (compared as logarithms), so equal images give the optical
    features. The choice itself has no gradient; the features taken have.

    Parameters
    ----------
    optical, sar : torch.Tensor
        (N, D), all visual tokens of one image (the thumbnail's too) by each sensor, cut into tokens alike.
    queries : torch.Tensor
        (L, D), embeddings of the question's tokens. (The released training code took all text, the answer too.)
    tokens : torch.Tensor
        (K,) int64, the region: rows of `optical` and `sar`.
    mode : "adaptive", "concat", "optical" or "sar"
        concat gives both sensors' features one after the other; optical and sar give one sensor's, for ablations.
    scope : "image" or "selected"
        What the softmax runs over: all tokens of the image (the paper), or the region's own (the released training
        code; each sensor's β then sums to one within the region, so SAR can never win all of it).
    relevances : (torch.Tensor, torch.Tensor), optional
        What ``relevance(…, log=True)`` gave for `optical` and `sar`, to spare the work for every further region of the
        same image and question. Only with ``scope="image"``.

    Raises
    ------
    InvalidInput
        For shapes that do not fit, tokens out of range, and an unknown mode or scope.

    Examples
    --------
    >>> optical, sar = torch.tensor([[0.0], [0.0], [0.0]]), torch.tensor([[9.0], [0.0], [0.0]])
    >>> fused = choose(optical, sar, torch.tensor([[1.0]]), torch.tensor([0, 2]))
    >>> fused.features.tolist(), fused.from_sar.tolist(), fused.sar_share
    ([[9.0], [0.0]], [True, False], 0.5)
    """
    _check(optical, sar, tokens, mode, scope, relevances)
    of_optical, of_sar = optical[tokens], sar[tokens]
    if mode != "adaptive":
        taken = {"optical": [of_optical], "sar": [of_sar], "concat": [of_optical, of_sar]}[mode]
        mark = [torch.full((len(tokens),), t is of_sar, dtype=torch.bool, device=tokens.device) for t in taken]
        return Fused(torch.cat(taken), torch.cat(mark))
    if scope == "selected":
        from_sar = relevance(of_sar, queries, log=True) > relevance(of_optical, queries, log=True)
    else:
        for_optical, for_sar = relevances or (relevance(optical, queries, log=True), relevance(sar, queries, log=True))
        from_sar = for_sar[tokens] > for_optical[tokens]
    return Fused(torch.where(from_sar[:, None], of_sar, of_optical), from_sar)


def _check(
    optical: torch.Tensor,
    sar: torch.Tensor,
    tokens: torch.Tensor,
    mode: str,
    scope: str,
    relevances: tuple[torch.Tensor, torch.Tensor] | None,
) -> None:
    if mode not in MODES:
        raise InvalidInput(unknown("fusion mode", mode, MODES))
    if scope not in SCOPES:
        raise InvalidInput(unknown("scope of the softmax", scope, SCOPES))
    if optical.ndim != 2 or optical.shape != sar.shape:
        raise InvalidInput(
            f"optical and SAR features are (N, D) alike, got {tuple(optical.shape)} and {tuple(sar.shape)}: "
            "both images must be cut into tokens the same way"
        )
    if tokens.ndim != 1 or tokens.dtype != torch.int64:
        raise InvalidInput(f"tokens are (K,) int64, got {tuple(tokens.shape)} {tokens.dtype}")
    if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < len(optical):
        raise InvalidInput(
            f"tokens run from {int(tokens.min())} to {int(tokens.max())}, the image has {len(optical)} (0 … "
            f"{len(optical) - 1}): subtract the layout's offset"
        )
    if relevances is not None:
        if scope != "image":
            raise InvalidInput(f'relevances are those of the whole image; with scope="{scope}" leave them out')
        if any(r.shape != (len(optical),) for r in relevances):
            raise InvalidInput(
                f"relevances are ({len(optical)},) each, got {', '.join(str(tuple(r.shape)) for r in relevances)}"
            )
