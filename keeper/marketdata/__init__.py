"""Market data from outside the chain: option quotes and price histories, from files and over HTTP."""
