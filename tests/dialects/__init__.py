"""Statements that BI tools send, made by the tools' own code; each maker runs in an environment of its own."""
