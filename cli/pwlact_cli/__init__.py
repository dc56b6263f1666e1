"""The command line of pwlact: each command parses, calls the library, prints."""
