"""Notifier: tells an authority by e-mail what it has to do by when, and what is overdue."""
