//! Reading and writing bytes: variable-length integers, counts that are checked against the
//! input that is left, and nothing that allocates more than the input justifies.

mod reader;
mod writer;

pub use reader::{DecodeError, Reader};
pub use writer::Writer;
