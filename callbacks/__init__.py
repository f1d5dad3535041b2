"""Callbacks: checkpoints, metrics, logs and averages; their arithmetic is in ``lit_an``.

How to add one: a new file here with a ``Callback`` that reads ``task.iteration`` for its interval, its import below,
and a line in a config. The folders beside hold what several callbacks share (``loggers``, ``measuring``, ``saving``),
and what the command line adds to every training (``records``).
"""

from callbacks.checkpointing import Checkpointing
from callbacks.generation_metrics import GenerationMetrics
from callbacks.generator_ema import GeneratorEMA
from callbacks.inpainting_metrics import InpaintingMetrics
from callbacks.inpainting_panel import InpaintingPanelLogger
from callbacks.layout_calibration import LayoutCalibration
from callbacks.layout_scores import LayoutScores
from callbacks.loggers.metrics_csv import MetricsCSV
from callbacks.progress import IterationProgressBar
from callbacks.sample_grid import SampleGridLogger
from callbacks.semantic_layout import SemanticLayoutLogger

__all__ = [
    "Checkpointing",
    "GenerationMetrics",
    "GeneratorEMA",
    "InpaintingMetrics",
    "InpaintingPanelLogger",
    "IterationProgressBar",
    "LayoutCalibration",
    "LayoutScores",
    "MetricsCSV",
    "SampleGridLogger",
    "SemanticLayoutLogger",
]
