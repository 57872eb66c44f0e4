"""Our own contracts: ClearingHouse, RiskParameters, RiskFile, PriceOracle, LiquidationAuction, InsuranceFund.

Nothing outside this folder knows their shape.
"""
