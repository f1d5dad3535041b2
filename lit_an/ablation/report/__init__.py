"""The report: one page that needs no network, tables, charts. It shows what ``analysis`` found, no more."""
