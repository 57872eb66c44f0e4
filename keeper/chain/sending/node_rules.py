"""What a node says it wants when it refuses a fee, read from its words.

Nodes agree on no form.  Samples, each with the node it comes from:

    replacement transaction underpriced                                            geth, reth, anvil, besu
    replacement transaction underpriced: new tx gas fee cap 5 < 7 queued + 100% replacement penalty       geth, blobs
    transaction underpriced: gas tip cap 1, minimum needed 1000000000              geth
    max fee per gas less than block base fee: address 0x…, maxFeePerGas: 1, baseFee: 7                    geth, erigon
    INTERNAL_ERROR: could not replace existing tx                                  erigon
    ReplacementNotAllowed                                                          nethermind
    FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, CurrentBaseFee: 7            nethermind
    replacement transaction needs a 30% bump / must be at least 30% higher         providers

Whatever is read here only ever raises an offer, and never above our own caps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)")
_QUEUED: Final = re.compile(r"gas (fee|tip) cap \d+ <=? (\d+) queued")
_AT_LEAST: Final = re.compile(
    r"(?:minimum (?:needed|required|is)|minimum:|at least|required:?|must be >=?)\s*(\d+)"
    r"(?!\s*(?:%|percent|\.|\d))"
)
_BASE_FEE: Final = re.compile(r"base ?fee(?: per gas)?:?\s*(\d+)")
_REPLACING: Final = re.compile(r"replac|bump")
_TIP: Final = re.compile(r"tip|priority")

#: More than this is no rule but a mistake of ours in reading: a thousandfold.
_ABSURD_PPM: Final = 1_000_000_000


@dataclass(frozen=True)
class NodeRule:
    """The least a node takes; nothing known is all zeros."""

    bump_ppm: int = 0
    """How much more than the transaction it replaces, on both fields."""
    max_fee_wei: int = 0
    """The least fee per gas, base fee and tip together."""
    priority_fee_wei: int = 0
    """The least tip per gas."""

    @classmethod
    def parse(cls, message: str) -> NodeRule:
        """From a node's refusal, in whatever words; zeros where it names no number."""
        words = message.lower()
        bump = 0
        if _REPLACING.search(words) and (percent := _PERCENT.search(words)):
            bump = int(float(percent[1]) * 10_000)
            bump = bump if bump <= _ABSURD_PPM else 0
        least = {"fee": 0, "tip": 0}
        for field, queued in _QUEUED.findall(words):
            least[field] = -(-int(queued) * (1_000_000 + bump) // 1_000_000)
        if found := _AT_LEAST.search(words):
            field = "tip" if _TIP.search(words) else "fee"
            least[field] = max(least[field], int(found[1]))
        if found := _BASE_FEE.search(words):
            least["fee"] = max(least["fee"], int(found[1]))
        return cls(bump, least["fee"], least["tip"])

    @property
    def says_something(self) -> bool:
        """Whether there is a number in it."""
        return self != NodeRule()


def is_about_replacing(message: str) -> bool:
    """Whether the node refuses because another transaction has the nonce in its pool, not because of the base fee."""
    return bool(_REPLACING.search(message.lower()))
