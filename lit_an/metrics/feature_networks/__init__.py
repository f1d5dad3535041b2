"""Networks of metrics: feature extractors, LPIPS, and their weights.

How to add an extractor: a class in ``extractors.py`` decorated with ``@EXTRACTORS.register("name")``; the contract
tests over ``EXTRACTORS`` include it.
"""

from lit_an.metrics.feature_networks.extractors import EXTRACTORS, FeatureExtractor, create_extractor
from lit_an.metrics.feature_networks.lpips import Lpips

__all__ = ["EXTRACTORS", "FeatureExtractor", "Lpips", "create_extractor"]
