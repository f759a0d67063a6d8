"""Mathematics of spectra that the operations of ``fourier`` share, and that looks for lesions and faults of slices."""
