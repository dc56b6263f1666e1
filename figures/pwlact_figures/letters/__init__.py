"""Tables and pictures of `pwlact letters`."""
