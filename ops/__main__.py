"""`python -m ops`: the `news` command without its script."""

from ops.cli import main

main()
