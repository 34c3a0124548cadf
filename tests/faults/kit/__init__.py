"""What every fault test is made of: a load, a running system to hurt, an oracle, and the comparison of both."""
