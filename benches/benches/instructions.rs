//! The parts of the way of a write, counted in instructions by callgrind: `benches/guard.sh` runs this and
//! compares with what is stored. Counts do not depend on what else the machine does.

#![allow(missing_docs, unreachable_pub, reason = "the macros make public items without a word")]

use gungraun::{library_benchmark, library_benchmark_group, main};
use pocketsync_benches::guard::ROWS;
use pocketsync_benches::parts::{Kept, Part, Ready, prepare};
use pocketsync_benches::shape::Shape;
use tempfile::TempDir;

fn integer(part: Part) -> Ready {
    prepare(part, Shape::Integer, ROWS).expect("the scratch folder can be written")
}

fn text(part: Part) -> Ready {
    prepare(part, Shape::Text, ROWS).expect("the scratch folder can be written")
}

#[library_benchmark]
#[bench::plain_insert(args = (Part::PlainInsert), setup = integer)]
#[bench::plain_update(args = (Part::PlainUpdate), setup = integer)]
#[bench::capture_insert(args = (Part::CaptureInsert), setup = integer)]
#[bench::capture_update(args = (Part::CaptureUpdate), setup = integer)]
#[bench::capture_insert_text(args = (Part::CaptureInsert), setup = text)]
#[bench::fold_inserts(args = (Part::FoldInserts), setup = integer)]
#[bench::fold_updates(args = (Part::FoldUpdates), setup = integer)]
#[bench::fold_updates_text(args = (Part::FoldUpdates), setup = text)]
#[bench::extract_inserts(args = (Part::ExtractInserts), setup = integer)]
#[bench::extract_updates(args = (Part::ExtractUpdates), setup = integer)]
#[bench::encode(args = (Part::Encode), setup = integer)]
#[bench::decode(args = (Part::Decode), setup = integer)]
#[bench::merge(args = (Part::Merge), setup = integer)]
#[bench::apply_inserts(args = (Part::ApplyInserts), setup = integer)]
#[bench::apply_inserts_text(args = (Part::ApplyInserts), setup = text)]
#[bench::apply_updates(args = (Part::ApplyUpdates), setup = integer)]
#[bench::apply_duplicates(args = (Part::ApplyDuplicates), setup = integer)]
#[bench::apply_losing(args = (Part::ApplyLosing), setup = integer)]
#[bench::hub_push(args = (Part::HubPush), setup = integer)]
#[bench::hub_catch_up(args = (Part::HubCatchUp), setup = integer)]
#[bench::fan_out(args = (Part::FanOut), setup = integer)]
#[bench::round_trip(args = (Part::RoundTrip), setup = integer)]
fn part(ready: Ready) -> (Kept, TempDir) {
    ready.run()
}

library_benchmark_group!(name = parts, benchmarks = part);
main!(library_benchmark_groups = parts);
