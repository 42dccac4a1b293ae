"""Benchmarks: both sides of a comparison in one run, alternating; `docs/performance.md` is made of what they wrote."""
