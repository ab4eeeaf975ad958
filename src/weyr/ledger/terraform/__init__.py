"""What would Terraform's resources cost a month? Resources and usage in, priced lines out. Pure."""
