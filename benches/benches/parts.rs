//! The parts of the way of a write, timed: `cargo bench -p pocketsync-benches`, with a part of a name behind
//! it to run less.

use divan::Bencher;
use divan::counter::ItemsCount;
use pocketsync_benches::parts::{Part, prepare};
use pocketsync_benches::shape::Shape;

const ROWS: usize = 10_000;

fn main() {
    divan::main();
}

fn time(bencher: Bencher<'_, '_>, part: Part, shape: Shape) {
    bencher
        .counter(ItemsCount::new(if part == Part::FanOut { 10usize } else { ROWS }))
        .with_inputs(|| prepare(part, shape, ROWS).expect("the scratch folder can be written"))
        .bench_local_values(|ready| ready.run());
}

#[divan::bench(args = Part::ALL, sample_count = 10, sample_size = 1)]
fn integer_key(bencher: Bencher<'_, '_>, part: Part) {
    time(bencher, part, Shape::Integer);
}

#[divan::bench(args = Part::ALL, sample_count = 10, sample_size = 1)]
fn text_key(bencher: Bencher<'_, '_>, part: Part) {
    time(bencher, part, Shape::Text);
}
