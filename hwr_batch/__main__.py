"""`python -m hwr_batch` is `hwr-batch`."""

from hwr_batch.cli import main

if __name__ == "__main__":
    main()
