"""Ratios beside the field's tools, measured side by side in one run: `make bench`."""
