"""The commands of `bridgecart`: a module each for options and words; what it does is beside it, in `<command>_*.py`."""
