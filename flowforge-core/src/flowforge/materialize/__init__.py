"""How a relation is written so that nobody ever sees half of it; a pure use of session primitives."""
