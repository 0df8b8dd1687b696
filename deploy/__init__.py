"""What runs the exchange: on one machine, and in production."""
