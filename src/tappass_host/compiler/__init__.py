"""The Runtime compiler: a policy and a recipe of targets to one plan, with an account of every statement. Pure."""
