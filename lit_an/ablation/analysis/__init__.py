"""What runs that differ in one thing say: what they are, what does not compare, figures, intervals."""
