"""What runs on a machine beside the flows: servers, Dask cluster, worker and schedule, and how they start and end."""
