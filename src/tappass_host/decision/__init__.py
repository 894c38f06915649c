"""The decision service that targets ask before an action, and the clients that ask it."""
