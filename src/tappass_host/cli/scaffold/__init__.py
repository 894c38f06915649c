"""Templates of a provider package. `@NAME@` is filled in; the result passes the conformance kit as it is."""
