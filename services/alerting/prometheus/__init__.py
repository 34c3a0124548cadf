"""What people are told: alert rules and the operations dashboard, generated from the catalogues."""
