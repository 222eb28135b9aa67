"""`python -m mlops_dash.cli`."""

import sys

from mlops_dash.cli import main

sys.exit(main())
