"""The typed client of the operator API.

Decides: how a call becomes a request and an answer a value. Never: what to do with it. The values (`models`) are the
API's own: server and client share them, and `openapi.json` is generated from them.
"""
