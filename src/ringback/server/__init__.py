"""The server program: settings, wiring, HTTP. Everything it decides is decided in `ringback.usecases`."""
