"""Margin keeper: reads positions and prices, computes margin, publishes parameters under fences, liquidates."""

__version__ = "0.1.0"
