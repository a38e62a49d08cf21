"""What is to be known of xgrad on an NVIDIA GPU, found out in a few minutes: ``python -m benchmarks.gpu``."""
