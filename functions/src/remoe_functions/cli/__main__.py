"""`python -m remoe_functions.cli`: the same as `remoe`."""

from remoe_functions.cli.app import main

main()
