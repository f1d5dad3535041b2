"""Odd input by the hundred: options, configs and image files that nobody thought of.

Each case must end in a result or in one sentence: never in a traceback, a hang or memory without bound. The short suite
draws ``SHORT`` cases of each kind, always the same; ``--runslow`` draws ``LONG`` new ones. hypothesis prints the
smallest input that fails.
"""
