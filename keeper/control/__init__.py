"""The control loop in an operator's hands: what it aims at, how it gets there, whom that hurts, and a push by hand.

Everything here shows or does what the daemon does by itself, through the very functions that it trusts.
"""
