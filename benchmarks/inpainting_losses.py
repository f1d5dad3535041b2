"""Time and memory of what the losses of inpainting add to a generator's step: VGG-19's features, ID-MRF, confidence.

    python benchmarks/inpainting_losses.py [--side 256] [--batch 1] [--threads 1] [--repeats 3]

float32, random weights and images (neither time nor memory depends on them). Processor time, which a busy machine
leaves alone as long as there is one thread, the least of the repeats; the peak of what PyTorch has allocated beyond
images and weights, from its profiler.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parent.parent))

from lit_an.losses import VGG19Features, confidence_map, id_mrf_loss, id_mrf_of_maps
from tests.vgg import make_vgg19


def peak(run: Callable[[], object]) -> float:
    """MiB."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        highest = max(highest, now)
    return highest / 2**20


def fastest(run: Callable[[], object], repeats: int) -> float:
    """Milliseconds of processor time."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def cases(side: int, batch: int, weights: str) -> dict[str, Callable[[], object]]:
    image = torch.rand(batch, 3, side, side) * 2 - 1
    prediction = (torch.rand(batch, 3, side, side) * 2 - 1).requires_grad_()
    mask = torch.zeros(batch, 1, side, side)
    mask[..., side // 4 : side // 4 * 3, side // 4 : side // 4 * 3] = 1
    maps = [torch.randn(batch, 256, side // 4, side // 4, requires_grad=True) for _ in range(2)]
    vgg, frugal = (VGG19Features(weights, recompute=recompute).load() for recompute in (False, True))

    def of_truth(features: VGG19Features) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            return features(image)

    def all_of_it(features: VGG19Features) -> None:
        id_mrf_loss(features(prediction), of_truth(features)).backward()

    return {
        "confidence_map": lambda: confidence_map(mask),
        "VGG19Features of the truth": lambda: of_truth(vgg),
        "VGG19Features, forward and backward": lambda: sum(x.mean() for x in vgg(prediction).values()).backward(),
        "  recompute=True": lambda: sum(x.mean() for x in frugal(prediction).values()).backward(),
        "id_mrf_of_maps (relu3_2), forward and backward": lambda: id_mrf_of_maps(*maps).backward(),
        "  not in pieces": lambda: id_mrf_of_maps(*maps, similarities_at_once=2**62).backward(),
        "id_mrf_loss with both images' features": lambda: all_of_it(vgg),
        "  recompute=True, in all": lambda: all_of_it(frugal),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        weights = str(make_vgg19(Path(folder) / "vgg19.pth"))
        print(f"{arguments.batch} image(s) of {arguments.side} px, {arguments.threads} thread(s)")
        for name, run in cases(arguments.side, arguments.batch, weights).items():
            run()
            print(f"{name:48} {fastest(run, arguments.repeats):8.0f} ms {peak(run):8.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
