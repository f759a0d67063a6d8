"""AlexNet learning pictures that are prepared meanwhile, beside the same on batches that lie on the device already."""

from tests.benchmarks.feeding.subject import row

ROW = row("alexnet_fed", "AlexNet", "alexnet")
