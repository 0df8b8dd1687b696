"""The exchange on Kubernetes: manifests for kustomize, and what makes their secrets and checks them."""
