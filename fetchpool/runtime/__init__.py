"""What all of the process shares: threads, forks, the clock of timeouts, exit."""
