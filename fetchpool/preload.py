"""For the server that worker processes are forked from (`multiprocessing`'s fork server), and nobody else.

It loads this room first and then what every worker needs, once instead of in each of them: fifty processes
are ready in a third of the time. It was started with `python -c`, so the working directory is the first
place where it looks; there a person's `queue.py` would stand for the library's. What the workers look for
later, they look for where their parent does.
"""

from __future__ import annotations

import sys

sys.path[:] = [each for each in sys.path if each]
