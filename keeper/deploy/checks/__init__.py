"""A spec is looked at as a whole before the first transaction: everything that is wrong with it is told at once.

addresses   written well, filled in, and no two roles that must watch each other in one hand
numbers     each fits the contract's type and the contract's bounds
markets     what belongs together does: tickers, fences, expiries, strikes
live        what the chain says: code, decimals, prices, balances

The contracts refuse the same, but one transaction at a time, after those before it were paid for.
"""

from keeper.deploy.checks.complaint import Complaint
from keeper.deploy.checks.whole import check_spec, complaints_of

__all__ = ["Complaint", "check_spec", "complaints_of"]
