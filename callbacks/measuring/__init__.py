"""What the metric callbacks share: when they measure, on which images, who writes the figures, and views of layouts."""
