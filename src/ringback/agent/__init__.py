"""The agent of a Linux box: pumps the kernel's effects into files, processes, probes and HTTP, and brings answers back.

It decides nothing about releases: the kernel (`ringback_kernel.core`) holds every rule. Modules:

- `driver`, `effects`, `jobs`, `ports`: run effects on lanes, answer with events (the simulator uses the same driver).
- `transport`, `fetch`, `store`: HTTP, resumable downloads, content store.
- `storage`, `files`: what has to survive a power cut.
- `platform`: one backend per file; `supervisor`: the services of the app plane.
- `probes`: one probe per file, and `preflight`: what is checked before anything is activated.
- `device_file`, `identity`, `main`, `local`, `command`: the process around it.
"""
