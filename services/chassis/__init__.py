"""What every service runs on: bus, lanes, groups, retries and parking, identity, metrics, health, shutdown."""
