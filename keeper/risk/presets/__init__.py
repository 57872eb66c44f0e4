"""Venues' margin rules as data.  A module here defines no function and no class; a test says so."""
