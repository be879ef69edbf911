"""What calls cost: tokens and money counted, and a cap that holds before a call is made."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from terrascope_nb.errors import InvalidInput, TerrascopeError


@dataclass(frozen=True)
class Spent:
    """What was spent so far.

    Attributes
    ----------
    calls : int
        Requests that were answered or may have been worked on.
    prompt_tokens, completion_tokens : int
        Tokens in and out.
    guessed_tokens : int
        How many of both are an upper guess, where the server told none (an answer that broke off or was cancelled).
    cost : float or None
        In the currency of the prices; None without prices.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    guessed_tokens: int = 0
    cost: float | None = None

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens

    def words(self) -> str:
        """In words, for messages.

        Examples
        --------
        >>> Spent(2, 900, 100, 0, 0.0123).words()
        '1,000 tokens in 2 calls, cost 0.0123'
        """
        cost = "" if self.cost is None else f", cost {self.cost:.4g}"
        guessed = f" ({self.guessed_tokens:,} of them guessed)" if self.guessed_tokens else ""
        return f"{self.tokens:,} tokens{guessed} in {self.calls:,} call{'' if self.calls == 1 else 's'}{cost}"


class OverBudget(TerrascopeError, RuntimeError):
    """The next call could pass the cap on tokens or cost, and was not made; ``.spent`` says what was spent."""

    def __init__(self, message: str, spent: Spent) -> None:
        super().__init__(message)
        self.spent = spent

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.spent)


@dataclass(frozen=True)
class Hold:
    """What one call may come to: tokens in and out."""

    prompt: int
    completion: int


class Purse:
    """Counts what is spent; refuses a call that could pass the cap. Threads may share it.

    Parameters
    ----------
    max_tokens_total : int, optional
        Cap on tokens in and out.
    max_cost : float, optional
        Cap on cost, in the currency of `prices`.
    prices : (float, float), optional
        Price of a million tokens in, and of a million out.

    Raises
    ------
    InvalidInput
        For a cap that is not above 0, prices below 0, and a cost cap without prices.
    """

    def __init__(
        self,
        max_tokens_total: int | None = None,
        max_cost: float | None = None,
        prices: tuple[float, float] | None = None,
    ) -> None:
        if max_tokens_total is not None and max_tokens_total < 1:
            raise InvalidInput(f"max_tokens_total is at least 1, got {max_tokens_total}")
        if max_cost is not None and not max_cost > 0:
            raise InvalidInput(f"max_cost is above 0, got {max_cost}")
        if prices is not None and (len(tuple(prices)) != 2 or not min(prices) >= 0):
            raise InvalidInput(f"prices is (of a million tokens in, of a million out), none below 0; got {prices!r}")
        if max_cost is not None and prices is None:
            raise InvalidInput("max_cost needs prices=(of a million tokens in, of a million tokens out)")
        self.max_tokens_total, self.max_cost, self.prices = max_tokens_total, max_cost, prices
        self._lock = threading.Lock()
        self._spent = Spent(cost=None if prices is None else 0.0)
        self._held = Hold(0, 0)

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        with self._lock:
            return self._spent

    def cost(self, prompt: int, completion: int) -> float:
        """What so many tokens cost; 0 without prices."""
        a, b = self.prices or (0.0, 0.0)
        return (prompt * a + completion * b) / 1e6

    def reserve(self, prompt: int, completion: int) -> Hold:
        """Set aside what a call may come to.

        Raises
        ------
        OverBudget
            When it could pass a cap; nothing is set aside then.
        """
        with self._lock:
            hold = Hold(prompt, completion)
            spent = self._spent
            prompts, outs = self._held.prompt + hold.prompt, self._held.completion + hold.completion
            tokens = spent.tokens + prompts + outs
            cost = (spent.cost or 0.0) + self.cost(prompts, outs)
            over = ""
            if self.max_tokens_total is not None and tokens > self.max_tokens_total:
                over = f"max_tokens_total={self.max_tokens_total:,}: {tokens:,} tokens"
            elif self.max_cost is not None and cost > self.max_cost:
                over = f"max_cost={self.max_cost:g}: a cost of {cost:.4g}"
            if over:
                under_way = self._held.prompt + self._held.completion
                also = f", {under_way:,} tokens are set aside for calls under way" if under_way else ""
                raise OverBudget(
                    f"the next call was not made, for it could pass {over} in all. So far {spent.words()} were "
                    f"spent{also}; the call is reckoned at up to {hold.prompt:,} tokens in and {hold.completion:,} "
                    "out. Raise the cap, or lower max_tokens",
                    spent,
                )
            self._held = Hold(prompts, outs)
            return hold

    def settle(self, hold: Hold, usage: tuple[int, int] | None, charged: bool = True) -> None:
        """Give back what was set aside and count what it came to.

        Parameters
        ----------
        usage : (int, int), optional
            Tokens in and out as the server told them; None: it told none, and all that was set aside is counted.
        charged : bool
            False: the server did no work, nothing is counted.
        """
        with self._lock:
            self._held = Hold(self._held.prompt - hold.prompt, self._held.completion - hold.completion)
            if not charged:
                return
            prompt, completion = usage or (hold.prompt, hold.completion)
            s = self._spent
            self._spent = replace(
                s, calls=s.calls + 1, prompt_tokens=s.prompt_tokens + prompt,
                completion_tokens=s.completion_tokens + completion,
                guessed_tokens=s.guessed_tokens + (0 if usage else prompt + completion),
                cost=None if s.cost is None else s.cost + self.cost(prompt, completion),
            )  # fmt: skip
