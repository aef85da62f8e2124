"""What funcgrad costs, as ratios to other libraries and to NumPy by hand; see run.py."""
