"""The `bridgecart` command for the tests of commands."""

from bridgecart_assets_tests.support.command_line import bridgecart

__all__ = ["bridgecart"]
