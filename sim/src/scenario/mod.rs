//! What a researcher writes down: devices, schema, workload, network, offline patterns, faults.
