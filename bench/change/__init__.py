"""What a change costs, by the size of the list: now, and before lists were stored in segments.

- `before`: the code of before, from git.
- `probes`: CPU, memory and bytes of processes.
- `watching`: when each reader process serves a change.
- `fleet`: a refresher, a node of four reader processes, their load.
- `figures`: the events and their figures.
- `measure`: the changes, at each size, with both.
- `report`, `plot`: tables, targets, files.
"""
