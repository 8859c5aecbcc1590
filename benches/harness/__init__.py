"""Compares the library with its peers on this machine. Start it with `benches/run.py`."""
