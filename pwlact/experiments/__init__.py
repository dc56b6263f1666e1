"""The experiments: a config in, a JSON-able record out."""
