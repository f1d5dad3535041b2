"""Files: atomic writing, texts, configs with bases."""
