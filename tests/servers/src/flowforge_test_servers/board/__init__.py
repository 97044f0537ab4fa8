"""The crash board: a small project in two versions, processes that die half-way, and a judge of what they left."""
