"""Evaluate: findings against annotations, by the published matching rule."""
