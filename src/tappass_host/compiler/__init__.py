"""The Runtime compiler: a policy and a recipe of targets to one plan, and an account of it all. Pure."""
