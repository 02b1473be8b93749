"""The process pool: worker processes on this machine, each of which runs a station."""
