"""VGG-16 learning pictures that are prepared meanwhile, beside the same on batches that lie on the device already."""

from tests.benchmarks.feeding.subject import row

ROW = row("vgg16_fed", "VGG-16", "vgg", layers=16, batch_norm=False)
