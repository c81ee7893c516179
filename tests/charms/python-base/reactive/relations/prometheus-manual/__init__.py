"""The interface `prometheus-manual`: jobs that Prometheus is asked, by relation, to scrape."""
