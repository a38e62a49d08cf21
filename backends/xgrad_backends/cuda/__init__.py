"""What runs on a GPU: fused kernels, and plans of captured functions as CUDA graphs."""
