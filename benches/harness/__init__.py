"""Ours against its peers, side by side, on this machine. `benches/run.py` is the way in."""
