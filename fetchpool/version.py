"""The version: the only place that has it, and importing it costs nothing."""

VERSION = "0.1.0"
