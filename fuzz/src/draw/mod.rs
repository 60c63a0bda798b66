//! What targets are fed: drawn from the fuzzer's bytes, from pools small enough that things collide.

pub(crate) mod changes;
pub(crate) mod honest;
pub(crate) mod messages;
pub(crate) mod schema;
pub(crate) mod statements;
pub(crate) mod values;

/// The fuzzer's bytes.
pub(crate) type Input<'a> = arbitrary::Unstructured<'a>;

pub(crate) use arbitrary::Result;
