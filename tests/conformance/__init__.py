"""The consortium's array-api-tests, run against xgrad; see `tests.conformance.__main__`. Not part of the ordinary run."""
