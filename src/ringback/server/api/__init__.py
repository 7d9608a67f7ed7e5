"""The operator API `/v1`: one table of operations; OpenAPI, routes and tests are made from it."""
