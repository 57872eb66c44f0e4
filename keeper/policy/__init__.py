"""Pure choices: what to publish, whom to call, flag and bid on.  No clock, network, logger or environment."""
