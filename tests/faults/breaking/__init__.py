"""Means to break things: projects that hang where they are told to, connections that are cut, disks that are full."""
