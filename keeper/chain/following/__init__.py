"""Following: the tip of the chain, and its logs turned into state."""
