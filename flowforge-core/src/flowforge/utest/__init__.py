"""Unit tests of models: given rows in, expected rows out, with no table of the warehouse."""
