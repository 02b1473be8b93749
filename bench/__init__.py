"""fetchpool beside the other programs that fetch lists: `make bench`, `make bench-full`.

    run.py ──▶ scenarios.py ──▶ peers.py     what is run, on which list
                     │             └──▶ clients/   those peers that are scripts
                     ├──▶ servers.py ──▶ nginx, delay.py
                     └──▶ measure.py ──▶ figures.py ──▶ report.py, picture.py ──▶ docs/benchmarks.*

`engine.py` stands apart: the engine's own cost per URL, with a pool that answers at once.
"""
