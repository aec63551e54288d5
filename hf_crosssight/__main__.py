"""`python -m hf_crosssight`: the command line."""

from hf_crosssight.cli import main

if __name__ == "__main__":
    main()
