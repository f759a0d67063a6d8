"""Our values against those that the Image Biomarker Standardisation Initiative has published."""
