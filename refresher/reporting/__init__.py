"""What refreshes cost and how they ended.

- `meter`: counts requests to GitHub, for the fleet and for each refresh.
- `clock_report`: how far the machine's clock is from Redis's.
- `reporter`: reports the end of a refresh to the log, the counters and the status page.
"""
