"""Registry: onboarding of authorities by their coordinators, connected systems, and the directory."""
