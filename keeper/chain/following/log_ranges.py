"""How many blocks to ask for at once: as many as the endpoint stands, found by trying.

Providers limit the blocks of a question about logs (from 500 to 50,000), the logs of an answer (10,000 or 20,000), its
size (150 MB) or its time, and say so in words of their own; some say nothing and cut the answer off.
"""

from __future__ import annotations

import re
from typing import Final

#: Lengths at which an answer is more likely cut off than complete: limits are round.  Source: what Alchemy, Infura,
#: QuickNode, Chainstack, BSC and reth document (10,000 and 20,000 logs), and the round numbers around them.
SILENT_CAPS: Final = frozenset({1_000, 2_000, 2_500, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000})
#: Answers that are believed before a width that was refused is tried again; doubles with every refusal up to the last.
FIRST_PATIENCE, LAST_PATIENCE = 2, 64
#: Silence alone makes a question no narrower than this part of the widest.
LEAST_SHARE: Final = 64

#: "Try with this block range [0x1, 0x2a]" (Alchemy, Infura); "retry with the range 1-42" (reth).
_SUGGESTED = re.compile(r"range\D*?\[?(0x[0-9a-f]+|\d+)\s*(?:,|-|to)\s*(0x[0-9a-f]+|\d+)", re.IGNORECASE)


class RangeWidth:
    """Width of the next question, in blocks.

    Args:
        widest: never more than this.
    """

    def __init__(self, widest: int) -> None:
        self._widest = widest
        self.blocks = widest
        self._answered = 0
        self._patience = 1
        self._grown = False
        self._passed = 0

    def answered(self) -> None:
        """The last question was answered: after enough of those, ask for twice as much."""
        if self._grown:  # the wider question passed too, so the limit is farther than we thought
            self._patience = max(1, self._patience // 2)
            self._grown = False
        self._answered += 1
        self._passed = self.blocks
        if self._answered >= self._patience and self.blocks < self._widest:
            # Fast until something was refused, then in small steps towards where that was.
            wider = self.blocks * 2 if self._patience == 1 else self.blocks + max(1, self.blocks // 4)
            self.blocks = min(self._widest, wider)
            self._answered, self._grown = 0, True

    def failed(self, asked: int) -> None:
        """The last question, about so many blocks, got no answer, which need not be its width's fault."""
        self.blocks = max(self._widest // LEAST_SHARE, asked // 2, 1)
        self._answered, self._grown = 0, False

    def refused(self, asked: int, said: str = "", *, first: int = 0) -> bool:
        """The last question was too wide.

        Args:
            asked: how many blocks it was about.
            said: the endpoint's words, in which it may suggest a range.
            first: height it began at.

        Returns: whether less can be asked for.
        """
        if asked <= 1:
            return False
        suggested = suggestion(said, first)
        less = self._passed if 0 < self._passed < asked else asked // 2
        self._passed = 0
        self.blocks = min(asked - 1, suggested) if suggested else max(1, less)
        self._answered, self._grown = 0, False
        self._patience = min(LAST_PATIENCE, max(FIRST_PATIENCE, self._patience * 2))
        return True


def suggestion(said: str, first: int) -> int:
    """Blocks from `first` on that a refusal suggests; 0 if it suggests none that can be used."""
    found = _SUGGESTED.search(said)
    if found is None:
        return 0
    low, high = (int(text, 16) if text.lower().startswith("0x") else int(text) for text in found.groups())
    return high - low + 1 if low == first and high >= low else 0


def looks_cut_off(count: int) -> bool:
    """Whether an answer of so many logs is probably not all of them."""
    return count in SILENT_CAPS
