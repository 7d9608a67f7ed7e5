"""The door app: what an app artifact of the demo ships. A camera, an inference and an upload service, and the replay.

The files of this folder go into the artifact as they are and run on the box as plain Python; nothing here imports
anything of Ringback. Siblings are imported relatively, so the same files work inside the artifact and in tests.

Invariants:
- one file, one preprocessing: the services, the replay and the publisher read pictures and sound with the same code;
- a service keeps running whatever config or model it is told to load: a refused reload leaves the old one in use;
- scores, shares and boxes leave this package as integers in parts per million.
"""
