from pandas import *  # noqa: F403 (all of it)
from pandas import api as api
