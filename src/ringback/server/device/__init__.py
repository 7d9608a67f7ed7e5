"""What devices talk to: check-in, enrolment, artifacts. Raw ASGI: no framework between socket and code."""
