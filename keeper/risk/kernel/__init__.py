"""One kernel: a table of scenarios, one revaluation, a few reducers and add-ons.

    market, portfolio ─generate→ Scenarios ─revalue→ P&L ─reduce→ losses ─charge→ Requirement

Every venue's rule is a preset of it (`keeper.risk.presets`): data, never code.  README.md gives the reading order.
"""
