"""The rooms of the house: one folder a stage, and the pure rooms that they share."""
