"""The commands of `bridgecart`: one module each, what it does beside its words."""
