"""What one instrument is worth: Black-76, implied volatility, forwards near expiry, perpetuals."""
