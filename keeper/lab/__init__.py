"""Trials of the protocol's rules on recorded prices: pure over series, which somebody else reads."""
