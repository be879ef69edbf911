"""Servers that the tests start on this machine: blobs with tokens, a proxy that fails on purpose, a real STAC API."""
