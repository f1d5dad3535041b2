"""Networks that metrics look through: extractors of features, LPIPS, and where their weights come from.

How to add an extractor: a class in ``extractors.py`` decorated with ``@EXTRACTORS.register("name")``; the contract
tests over ``EXTRACTORS`` then test it.
"""

from lit_an.metrics.feature_networks.extractors import EXTRACTORS, FeatureExtractor, create_extractor
from lit_an.metrics.feature_networks.lpips import Lpips

__all__ = ["EXTRACTORS", "FeatureExtractor", "Lpips", "create_extractor"]
