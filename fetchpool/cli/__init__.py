"""The command line: the only room that knows flags, exit codes and colours.

    __main__ ──▶ main.py       errors into one line each, the exit code out
                  └── commands.py   which command: `run` unless another one is named
                        ├── run.py, demo.py    a command's flags (*options.py) ──▶ a RunConfig
                        └── session.py         a RunConfig ──▶ engine, signals, display, summary

Nothing here fetches: what a command does, a program can do with `import fetchpool`.
"""
