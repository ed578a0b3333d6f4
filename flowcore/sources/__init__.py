"""Readers: a network from describe-* JSON, flows from tables and flow logs."""
