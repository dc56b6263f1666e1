"""`python -m pwlact_cli`, the same as `pwlact`."""

from pwlact_cli.main import main

main()
