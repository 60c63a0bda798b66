//! Numbers for people: times and bytes in the unit that suits the largest of them.

/// A unit, and how much of the base unit it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) size: f64,
}

/// For times in milliseconds up to `max`.
pub(super) fn time(max: f64) -> Unit {
    let (name, size) = match max {
        max if max < 2e3 => ("ms", 1.0),
        max if max < 180e3 => ("s", 1e3),
        max if max < 7_200e3 => ("min", 60e3),
        max if max < 172_800e3 => ("h", 3_600e3),
        _ => ("days", 86_400e3),
    };
    Unit { name, size }
}

/// For bytes up to `max`.
pub(super) fn bytes(max: f64) -> Unit {
    let (name, size) = match max {
        max if max < 1e4 => ("B", 1.0),
        max if max < 1e7 => ("kB", 1e3),
        _ => ("MB", 1e6),
    };
    Unit { name, size }
}

/// For plain counts.
pub(super) const fn count(name: &'static str) -> Unit {
    Unit { name, size: 1.0 }
}

/// A time in milliseconds, with its unit.
pub(super) fn time_told(ms: f64) -> String {
    let unit = time(ms);
    format!("{} {}", short(ms / unit.size), unit.name)
}

/// Bytes, with their unit.
pub(super) fn bytes_told(n: f64) -> String {
    let unit = bytes(n);
    format!("{} {}", short(n / unit.size), unit.name)
}

/// A number, with as many digits as it deserves.
pub(super) fn short(number: f64) -> String {
    let text = match number.abs() {
        size if size >= 100.0 || number.fract() == 0.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    // 12,345
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let mut grouped = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && at < digits && (digits - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in
            [(0.0, "0"), (1.5, "1.50"), (12.34, "12.3"), (1234.0, "1,234"), (1_234_567.8, "1,234,568")]
        {
            assert_eq!(short(number), text);
        }
        assert_eq!(time_told(90_000.0), "90 s");
        assert_eq!(bytes_told(123_456.0), "123 kB");
    }
}
