"""The credentials for requests to GitHub.

- `credentials`: the interface, tokens, and the anonymous credential.
- `pool`: all credentials in the settings.
- `app_installation`: a GitHub App's installation, with tokens that expire after an hour.
- `app_token_store`: the App's token in Redis, encrypted, shared by the fleet.

Of `github`, this package imports only `body`, `request_headers` and `transport`.
"""
