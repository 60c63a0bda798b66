//! Leaves out as many of some things as possible, in large pieces first.

use std::ops::Range;

/// Offers to leave out pieces of `0..count`: all of it, halves, quarters, down to single things.
/// `leave_out` is told which of the *original* numbers to do without, in addition to those that
/// it has agreed to before, and says whether it does.
pub(super) fn minimize(count: usize, mut leave_out: impl FnMut(&[usize]) -> bool) {
    let mut left: Vec<usize> = (0..count).collect();
    let mut piece = count;
    while piece > 0 {
        let mut agreed = false;
        let mut end = left.len();
        // From the end: later things lean on earlier ones, so they are easier to do without.
        while end > 0 {
            let range: Range<usize> = end.saturating_sub(piece)..end;
            end = range.start;
            if leave_out(&left[range.clone()]) {
                left.drain(range);
                agreed = true;
            }
        }
        // One that could not go before may be free to go now.
        if piece > 1 {
            piece = (piece / 2).min(left.len());
        } else if !agreed {
            piece = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(count: usize, needed: &[usize]) -> (Vec<usize>, usize) {
        let mut kept: Vec<usize> = (0..count).collect();
        let mut asked = 0;
        minimize(count, |out| {
            asked += 1;
            let free = out.iter().all(|one| !needed.contains(one));
            if free {
                kept.retain(|one| !out.contains(one));
            }
            free
        });
        (kept, asked)
    }

    #[test]
    fn only_what_is_needed_stays() {
        for needed in [&[][..], &[0], &[99], &[3, 4, 77], &[0, 50, 99]] {
            let (kept, asked) = kept(100, needed);
            assert_eq!(kept, needed);
            assert!(asked < 80, "{asked} questions for {needed:?}");
        }
        assert_eq!(kept(0, &[]).0, Vec::<usize>::new());
    }
}
