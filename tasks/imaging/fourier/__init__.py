"""Operations on the spectrum of an image, and between the spectra of its slices."""
