"""Tests of inpainting."""
