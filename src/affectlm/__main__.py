"""`python -m affectlm` is the command `affectlm`."""

from affectlm.cli import main

main()
