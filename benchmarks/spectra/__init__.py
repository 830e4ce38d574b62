"""Spectra of proton events against independent ones: see distributions.py."""
