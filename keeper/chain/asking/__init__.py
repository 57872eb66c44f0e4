"""Asking: typed questions about the chain, the endpoints that are asked, and who vouches for the answer."""
