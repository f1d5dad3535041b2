"""The command gpu."""
