"""See docs/explanation/map.md for what this room is for."""
