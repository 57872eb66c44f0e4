"""Pure risk mathematics: no clock, network, logger, environment or unseeded randomness."""
