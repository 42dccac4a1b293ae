"""What the commands do, one module each; `cli.py` only takes options and shows results."""
