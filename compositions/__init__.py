"""Use cases made of use cases, and the catalog of all of them."""
