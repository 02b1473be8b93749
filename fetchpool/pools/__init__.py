"""Executors: run fetches in threads, in processes, in an event loop, or on a cluster.

A new executor is a module in this package that implements `Pool` (`base.py`), its case in `open.py`, and its
name in `config/choices.py`.
"""
