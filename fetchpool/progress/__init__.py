"""What a user sees of a run: the live display, logs, the summary, and advice. Only observes the run."""
