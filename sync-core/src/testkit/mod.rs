//! Test transports, a runtime with virtual time, and the conformance kit.
