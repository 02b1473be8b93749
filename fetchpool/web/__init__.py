"""The web page of a run (`--web`), which shows and steers it. A child process serves it."""
