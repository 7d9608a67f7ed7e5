"""What a plane of this box is made of: one backend per file, and `box`, which joins them to the `Platform` port.

A new backend is one file that offers what `backend.Backend` asks for, and one line in `box.BACKENDS`.
"""
