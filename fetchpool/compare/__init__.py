"""`fetchpool compare`: measures which executor and transport are fastest for a list."""
