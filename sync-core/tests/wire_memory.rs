//! Decoding takes memory in proportion to its input, whatever the input claims. One test alone in
//! its program, because it counts what the whole program allocates.

#[path = "pure/generators/mod.rs"]
mod generators;

use std::alloc::System;

use bytes::Bytes;
use cap::Cap;
use generators::changeset;
use pocketsync_core::change::Changeset;
use pocketsync_core::codec::{DecodeError, Writer};
use pocketsync_core::wire::frame::{Assembler, cut};
use pocketsync_core::wire::{Body, MAX_COMPRESSED_BYTES, Message};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Everything that `job` allocated, what it freed again included.
fn allocated<T>(job: impl FnOnce() -> T) -> (usize, T) {
    let before = ALLOCATOR.total_allocated();
    let result = job();
    (ALLOCATOR.total_allocated() - before, result)
}

/// The densest input there is: deletions next to each other, a byte each.
fn deletions(count: u64) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(&[1, 1, 1, b't', 0]);
    writer.varint(count);
    writer.bytes(&vec![2 << 3; count as usize]);
    writer.into_bytes()
}

/// A table of `width` columns and one row, with a cell of each, whose rest is `rest`.
fn wide_row(width: u64, rest: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(&[1, 1, 1, b't']);
    writer.varint(width);
    for column in 0..width {
        writer.length_prefixed(format!("{column:x}").as_bytes());
    }
    writer.bytes(&[1, 1 << 6]);
    writer.varint(width);
    writer.bytes(rest);
    writer.into_bytes()
}

/// Keys in keys, each claiming all of the input.
fn nested_claims(len: usize) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(&[1, 1, 1, b't', 0, 1, 4]);
    for _ in 0..8 {
        writer.varint(len as u64);
        writer.byte(0xd6);
    }
    writer.varint(len as u64);
    writer.bytes(&vec![0xd0; len]);
    writer.into_bytes()
}

fn check_changeset(bytes: &[u8]) {
    let (total, _) = allocated(|| Changeset::decode(bytes).is_ok());
    assert!(total <= 256 * bytes.len() + 1024, "{total} bytes for {}", bytes.len());
    let limit = 4 * bytes.len();
    let (total, result) = allocated(|| Changeset::decode_within(bytes, limit).is_ok());
    assert!(!result || total <= 2 * limit + 64 * bytes.len() + 1024, "{total} bytes for {}", bytes.len());
    assert!(total <= 16 * limit + 1024, "{total} bytes for {}", bytes.len());
}

fn check_message(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let (total, _) = allocated(|| Message::decode(&bytes).is_ok());
    assert!(total <= 64 * bytes.len() + 16 * 1024, "{total} bytes for {}", bytes.len());
}

#[test]
fn memory_follows_the_input() {
    hostile_changesets();
    hostile_bodies();
    hostile_messages();
    assembling();
    let mut runner = TestRunner::deterministic();
    for _ in 0..200 {
        let mut bytes = changeset().new_tree(&mut runner).unwrap().current().encode();
        check_changeset(&bytes);
        let len = bytes.len();
        for step in [7, 13, 31] {
            bytes[(step * 17) % len] = (step * 37) as u8;
            check_changeset(&bytes);
        }
    }
}

fn hostile_changesets() {
    check_changeset(&deletions(50_000));
    assert_eq!(Changeset::decode(&deletions(50_000)).unwrap().row_count(), 50_000);
    assert_eq!(Changeset::decode_within(&deletions(50_000), 1 << 20), Err(DecodeError::TooLarge));
    check_changeset(&wide_row(2000, &[]));
    check_changeset(&wide_row(2000, &[0xd0; 1999]));
    check_changeset(&wide_row(2000, &[0xd0; 2000]));
    check_changeset(&nested_claims(3000));
    check_changeset(&nested_claims(100_000));
    for claim in [1 << 7, 1 << 20, u64::MAX] {
        let mut writer = Writer::new();
        writer.byte(1);
        writer.varint(claim);
        check_changeset(&[writer.into_bytes(), vec![0; 300]].concat());
        let mut writer = Writer::new();
        writer.bytes(&[1, 1, 0]);
        writer.varint(claim);
        check_changeset(&[writer.into_bytes(), vec![0; 300]].concat());
    }
}

fn hostile_bodies() {
    // A short block that says it is a gigabyte, or something that its length cannot be.
    for claim in [1u64 << 30, 1 << 40, u64::MAX, 400_000] {
        let mut writer = Writer::new();
        writer.varint(claim);
        writer.bytes(&[0x1f, 0, 1, 0]);
        writer.bytes(&[255; 1000]);
        let body = Body::Lz4(writer.into_bytes().into());
        let (total, result) = allocated(|| body.open(1 << 20));
        assert!(result.is_err());
        assert!(total <= 512, "{total} bytes");
    }
    // What nobody compresses is not expanded, however much may come plain.
    let mut writer = Writer::new();
    writer.varint(MAX_COMPRESSED_BYTES as u64 + 1);
    writer.bytes(&lz4_flex::block::compress(&vec![0; MAX_COMPRESSED_BYTES + 1]));
    let body = Body::Lz4(writer.into_bytes().into());
    let (total, result) = allocated(|| body.open(64 << 20));
    assert_eq!(result, Err(DecodeError::TooLarge));
    assert!(total <= 512, "{total} bytes");
    let row = Body::Plain(vec![0; MAX_COMPRESSED_BYTES + 1].into());
    assert_eq!(row.compressed(), row);
    assert!(matches!(Body::Plain(vec![0; MAX_COMPRESSED_BYTES].into()).compressed(), Body::Lz4(_)));
    // A real one: deletions compress well, and say much.
    let plain = deletions(100_000);
    let mut writer = Writer::new();
    writer.varint(plain.len() as u64);
    writer.bytes(&lz4_flex::block::compress(&plain));
    let bomb = Body::Lz4(writer.into_bytes().into());
    assert!(bomb.len() < 1000);
    let (total, result) = allocated(|| bomb.open(200_000));
    assert_eq!(result, Err(DecodeError::TooLarge));
    assert!(total <= 200_000, "{total} bytes");
    assert_eq!(bomb.open(2_000_000).unwrap().row_count(), 100_000);
    // Twenty kilobytes that say two million deletions.
    let body = Body::Plain(deletions(2_000_000).into()).compressed();
    assert!(matches!(&body, Body::Lz4(bytes) if bytes.len() < 20_000), "{}", body.len());
    let (total, result) = allocated(|| body.open(64 << 20));
    assert_eq!(result, Err(DecodeError::TooLarge));
    assert!(total <= 17 * MAX_COMPRESSED_BYTES, "{total} bytes");
}

fn hostile_messages() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x07];
    let site_and_scope = [&[0, 1, 1, 1, b's', 0][..], &[0; 16]].concat();
    let filler = vec![1; 500];
    for claim in [&huge[..], &[0xe0, 0x03]] {
        // A lineage, the mark of a cursor, holdings, a token, a scope; each claims too much.
        check_message(&[&site_and_scope, claim, &filler].concat());
        check_message(&[&site_and_scope[..], &[0, 1, 1], claim, &filler].concat());
        check_message(&[&site_and_scope[..], &[0, 0, 0, 0], claim, &filler].concat());
        check_message(&[&[0, 1, 1, 1, b's', 1][..], claim, &filler].concat());
        check_message(&[&[0, 1, 1][..], claim, &filler].concat());
        // A push and its body, an error.
        check_message(&[&[2, 0, 0][..], claim, &filler].concat());
        check_message(&[&[2, 0, 0, 0, 0, 0, 0, 1, 1][..], claim, &filler].concat());
        check_message(&[&[4, 1][..], claim, &filler].concat());
    }
}

fn assembling() {
    let max = 100_000;
    let mut assembler = Assembler::new(max);
    let frame = Bytes::from_static(&[0, 7]);
    // Frames of one byte each, the dearest way to say anything.
    let (total, ()) =
        allocated(|| (0..max).for_each(|_| assert_eq!(assembler.push(frame.clone()), Ok(None))));
    assert!(total <= 3 * max, "{total} bytes");
    assert!(assembler.push(frame).is_err());
    let frames = cut(&Message::Ping(1), 256);
    let (total, message) = allocated(|| Assembler::new(max).push(frames[0].clone()));
    assert_eq!(message, Ok(Some(Message::Ping(1))));
    assert!(total <= 64, "{total} bytes");
}
