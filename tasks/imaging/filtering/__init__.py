"""What the filters of the IBSI, chapter 2, are made of: borders, kernels, rotations and frequencies."""
