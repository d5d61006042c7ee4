"""Simulated cytometry with known truth: blood (course), cells, instrument, the file of a tube, and the cohort."""
