"""The derivative rules, one file a family of NumPy functions."""
