"""Benchmarks of flowcore: `python -m benchmarks` from the root. docs/benchmarks.md says what each measures."""
