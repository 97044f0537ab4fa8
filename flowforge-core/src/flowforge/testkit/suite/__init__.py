"""The tests that every engine runs. They name capabilities, never products."""
