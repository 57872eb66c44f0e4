"""What an operator asks of a keeper besides keeping: is it set up, where does everything stand, and why."""
