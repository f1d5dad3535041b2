"""What a training costs, counted."""
