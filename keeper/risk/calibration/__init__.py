"""From histories and quotes to the parameters we would publish, each with its reasons."""
