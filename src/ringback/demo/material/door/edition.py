"""What differs between editions of the door app. The demo's packager writes this file anew for each app it builds."""

VERSION = "1.1.0"

# Samples of the previous window that go before each window of 512. Silero VAD 6.2 hears nothing without them.
VOICE_CONTEXT_SAMPLES = 64

# The interface of POST /results that the inference service speaks; the upload service of every edition accepts 2.
INFERENCE_SPEAKS = 2

# Keep every tensor for a "session replay" nobody reads: the memory leak of one bad edition.
KEEP_EVERY_FRAME = False
