"""`touchline import`: files of CRM records and offline touchpoints, through the gateway like any other sender."""
