"""Prices in time: joint returns that bridge no gap, volatilities, dependence, filtered history."""
