"""Benchmarks: what this machine does, as ratios where machines differ. Never a test: nothing here passes or fails."""
