"""Answers that equations define, and derivatives of them."""
