"""Implied volatility surfaces: fitted to quotes, checked for arbitrage, repaired or refused."""
