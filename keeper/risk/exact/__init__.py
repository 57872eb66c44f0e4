"""The exact integer twin of the contract's risk file and grid.

Every function here has a Solidity counterpart of the same name and gives the same integers, bit for bit.  The formulas
are written out in contracts/README.md; the contracts are `Q64.sol`, `Black76.sol`, `Grid.sol` and `RiskFile.sol`.

Python's `//` and `>>` round toward minus infinity.  Solidity's `sar` does too; its `/` on signed numbers truncates, so
where the contract divides signed numbers it calls `floorDiv` and this package writes `//`.
"""
