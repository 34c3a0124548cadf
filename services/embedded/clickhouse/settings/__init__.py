"""Settings of the embedded ClickHouse.

`process`: folder, address and limits, which operators set. `server`: what the engine itself gets at its start (memory,
caches, merges). `statement`: what each role's statement runs under, and what readers may set. `shares`: how readers
share the processors. Users and their rights are in `roles`.
"""
