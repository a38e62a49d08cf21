"""The object: Tensor and its methods."""
