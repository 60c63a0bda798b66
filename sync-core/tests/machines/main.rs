//! The sans-IO machines in virtual time, on stores in memory, over links that fail.

mod pair;
mod protocol_acks;
mod protocol_clock;
mod protocol_convergence;
mod protocol_crash;
mod protocol_early;
mod protocol_early_limits;
mod protocol_handshake;
mod protocol_hub;
mod protocol_hub_members;
mod protocol_random;
mod protocol_restore;
mod protocol_rights;
mod protocol_session;
mod protocol_size;
mod site_bindings;
