"""Panels, letters, colors of regions, animations."""
