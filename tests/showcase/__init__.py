"""Generators that come with the package."""
