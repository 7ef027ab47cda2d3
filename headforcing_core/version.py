"""The version, written into every file of latents."""

VERSION = "0.1.0"
