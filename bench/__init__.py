"""fetchpool beside the other programs that fetch lists: `make bench`, `make bench-full`.

    run.py ──▶ beside.py, alone.py ──▶ peers.py ──▶ clients/     what is run, on which of lists.py
       └──▶ trial.py ──▶ servers.py ──▶ nginx, delay.py
                └──▶ measure.py ──▶ figures.py ──▶ report.py, picture.py ──▶ docs/benchmarks.*

`engine.py` stands apart: the engine's own cost per URL, with a pool that answers at once.
"""
