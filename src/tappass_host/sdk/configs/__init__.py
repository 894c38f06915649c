"""Configuration schemas of our own components: what their providers render and they run from."""
