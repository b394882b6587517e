"""Names for all tests: those of local AWS, unless a test says otherwise."""

import os

os.environ.setdefault("GFF_ACCOUNT_ID", "123456789012")
os.environ.setdefault("GFF_REGION", "us-east-1")
