"""Frozen records that cross a stage border, in the order in which a cycle makes them.

Terminology, one meaning each:

- *size*: signed position in contracts, wad (1e18 = one contract on one unit of the underlying); long is positive.
- *mark*: value of one contract now.  *MtM*: size times mark.
- *equity*: what would remain if everything were closed at marks, collateral after haircut.
- *IM*, *MM*: initial and maintenance requirement.  IM gates new risk, MM gates liquidation; IM >= MM.
- *health*: equity / MM.  Below 1 an account may be flagged.  Insolvent: equity < 0, whatever MM is.
- *scenario*: one row of shocks.  *P&L*: value under the scenario minus value now; a loss is negative.
- *PSR*, *VSR*: price scan range and volatility scan range, the size of one full shock.
- *haircut*: the part of a collateral's value that does not count.
- *risk file*: per strike, what a call is worth under each scenario row, computed on-chain from a publication.
"""
