"""Generators: each makes rows of the scenario table from data, and knows nothing of portfolios or presets."""
