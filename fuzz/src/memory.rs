//! What a job allocates, to hold it against what its input justifies.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Runs a job, and says how many bytes it allocated; what it freed again counts too.
///
/// Counts for the whole process: nothing else may run meanwhile.
pub(crate) fn allocated<T>(job: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATOR.total_allocated();
    let result = job();
    (ALLOCATOR.total_allocated() - before, result)
}
