"""One file per verb: read, call science, write. Nothing is computed here.

Each module has `add_arguments(parser)` and `run(args) -> int`; cli.py imports only the chosen one.
"""
