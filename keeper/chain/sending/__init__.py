"""Sending: from an intent to a transaction that is final, over crashes, rising fees and shared keys."""
