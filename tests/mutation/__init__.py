"""Do the tests notice? Small mistakes are put into the code, one at a time, and the tests must fail for each."""
