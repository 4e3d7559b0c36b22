"""The main job as an ordinary HTTP client does it: import, declare, train, query.

service  starts the service in a process of its own
shops    what is imported: a simulated shop, or the Online Retail II file
journey  the requests
tables   what is printed
"""

from app.demo.journey import run

__all__ = ["run"]
