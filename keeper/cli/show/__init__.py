"""Answers: tables for a person, one JSON object for a script."""
