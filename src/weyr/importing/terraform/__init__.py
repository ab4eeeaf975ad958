"""Terraform, read as the resources it would make: HCL, plans as JSON, and usage files. Pure."""
