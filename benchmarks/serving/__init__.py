"""Predictions served fast: what they cost beside a route that does nothing, and beside others."""
