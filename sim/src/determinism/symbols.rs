//! The functions of the C library that tell the time and draw random bytes, put in front of the
//! real ones.
#![expect(unsafe_code, reason = "the C library's functions are replaced here, and nowhere else")]

use libc::{c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec, timeval};

use super::{MONO_US, SEEDED, WALL_US, fill};

/// In front of `getrandom(2)`.
///
/// # Safety
/// As for the function of that name: `buffer` has room for `bytes` bytes.
// SAFETY: the signature and the meaning are those of the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, bytes: size_t, flags: c_uint) -> ssize_t {
    if bytes > 0 && !buffer.is_null() && SEEDED.get() {
        // SAFETY: the caller promises that there is room for so many bytes; they may be
        // uninitialized, so they are made something before a slice of them is.
        let buffer = unsafe {
            std::ptr::write_bytes(buffer.cast::<u8>(), 0, bytes);
            std::slice::from_raw_parts_mut(buffer.cast::<u8>(), bytes)
        };
        fill(buffer);
        return ssize_t::try_from(bytes).unwrap_or(ssize_t::MAX);
    }
    // SAFETY: the caller's arguments go on as they are, and so does what the kernel answers.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, bytes, flags) as ssize_t }
}

/// In front of `clock_gettime(2)`.
///
/// # Safety
/// As for the function of that name: `time` points at a `timespec`.
// SAFETY: the signature and the meaning are those of the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let simulated = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => Some(&WALL_US),
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME => Some(&MONO_US),
        _ => None,
    };
    if let Some(simulated) = simulated
        && SEEDED.get()
    {
        let us = simulated.get();
        // SAFETY: the caller promises a place for a timespec.
        unsafe {
            (*time).tv_sec = (us / 1_000_000) as _;
            (*time).tv_nsec = (us % 1_000_000 * 1_000) as _;
        }
        return 0;
    }
    // SAFETY: the caller's arguments go on as they are, and so does what the kernel answers.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}

/// In front of `gettimeofday(2)`, which SQLite asks.
///
/// # Safety
/// As for the function of that name: `time` points at a `timeval`, `zone` at nothing or at a
/// `timezone`.
// SAFETY: the signature and the meaning are those of the C library's function.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, zone: *mut c_void) -> c_int {
    if !time.is_null() && SEEDED.get() {
        let us = WALL_US.get();
        // SAFETY: the caller promises a place for a timeval.
        unsafe {
            (*time).tv_sec = (us / 1_000_000) as _;
            (*time).tv_usec = (us % 1_000_000) as _;
        }
        return 0;
    }
    // SAFETY: the caller's arguments go on as they are, and so does what the kernel answers.
    unsafe { libc::syscall(libc::SYS_gettimeofday, time, zone) as c_int }
}
