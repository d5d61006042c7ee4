"""Speed and accuracy, measured: each module prints its own table, `python -m benchmarks` runs them all."""
