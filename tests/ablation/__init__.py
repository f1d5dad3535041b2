"""The ablation bench."""
