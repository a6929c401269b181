"""`python -m affectlm` is the command `affectlm`."""

from affectlm.cli.main import main

main()
