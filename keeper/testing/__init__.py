"""The shipped test kit: an embedded chain, anvil, a loopback node, an in-memory store."""
