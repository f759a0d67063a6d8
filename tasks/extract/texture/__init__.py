"""What the texture families share: voxels in scan order, aggregation, sparse matrices and their formulas."""
