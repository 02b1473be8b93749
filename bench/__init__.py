"""Benchmarks: `make bench`, `make bench-full`, `make bench-crawl`, `make torture`, `make crawl-torture`.

    harness/run.py ──▶ scenarios/peer_comparison.py, self_comparison.py ──▶ peers.py ──▶ clients/
       └──▶ trial.py ──▶ scenarios/servers.py ──▶ nginx, delay.py
                └──▶ measure.py ──▶ figures.py ──▶ report.py, picture.py ──▶ docs/benchmarks.*

`crawl/` compares crawls of a site, and measures crawls of a million pages.
`endurance/` has programs of their own: long runs, kills, and the engine without a network.
"""
