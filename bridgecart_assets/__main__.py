"""`python -m bridgecart_assets` is the `bridgecart` command."""

from bridgecart_assets.cli import main

if __name__ == "__main__":
    main()
