//! Between the dates that people write and milliseconds since 1970.

use time::{Month, OffsetDateTime, UtcOffset};
use toml::value::{Date, Datetime, Offset, Time};

/// The moment that a date means; midnight where it has no time, UTC where it has no offset.
pub(super) fn unix_ms(moment: &Datetime) -> Result<u64, String> {
    let date = moment.date.ok_or("`expires` needs a date, as in 2027-01-31 or 2027-01-31T12:00:00Z")?;
    let (hour, minute, second) =
        moment.time.map_or((0, 0, 0), |time| (time.hour, time.minute, time.second.unwrap_or(0)));
    let offset_minutes = match moment.offset {
        Some(Offset::Custom { minutes }) => i32::from(minutes),
        Some(Offset::Z) | None => 0,
    };
    let moment = || {
        let month = Month::try_from(date.month)?;
        let date = time::Date::from_calendar_date(i32::from(date.year), month, date.day)?;
        // A leap second is the one before it: no clock shows it.
        let moment = date.with_hms(hour, minute, second.min(59))?;
        let offset = UtcOffset::from_whole_seconds(offset_minutes * 60)?;
        Ok(moment.assume_offset(offset).unix_timestamp())
    };
    let seconds = moment().map_err(|error: time::error::ComponentRange| format!("`expires`: {error}"))?;
    u64::try_from(seconds).map(|seconds| seconds * 1000).map_err(|_| "`expires` is before 1970".to_owned())
}

/// A moment as a date in UTC, to the second; the end of the year 9999 for all that is later.
pub(super) fn date_of(unix_ms: u64) -> Datetime {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = (unix_ms / 1000).min(LAST_SECOND) as i64;
    let moment =
        OffsetDateTime::from_unix_timestamp(seconds).expect("from 1970 to 9999 all moments have a date");
    let time = Time {
        hour: moment.hour(),
        minute: moment.minute(),
        second: Some(moment.second()),
        nanosecond: None,
    };
    let date = Date { year: moment.year() as u16, month: moment.month().into(), day: moment.day() };
    Datetime { date: Some(date), time: Some(time), offset: Some(Offset::Z) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (written, seconds) in [
            ("1970-01-01", 0),
            ("1970-01-01T00:00:01Z", 1),
            ("2000-02-29", 951_782_400),
            ("2000-03-01", 951_868_800),
            ("2026-11-23T06:11:56Z", 1_795_414_316),
            ("2027-01-31T12:00:00", 1_801_396_800),
            ("2027-01-31T12:00:00+02:00", 1_801_389_600),
            ("2100-03-01", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let moment: Datetime = written.parse().unwrap();
            assert_eq!(unix_ms(&moment), Ok(seconds * 1000), "{written}");
        }
        assert!(unix_ms(&"1969-12-31".parse().unwrap()).is_err());
        assert!(unix_ms(&"12:00:00".parse().unwrap()).is_err());
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        let mut before = String::new();
        for day in 0..300_000_u64 {
            let ms = day * 86_400_000 + 45_296_000;
            let date = date_of(ms);
            assert_eq!(unix_ms(&date), Ok(ms), "{date}");
            let text = date.to_string();
            assert!(text > before && text.ends_with("T12:34:56Z"), "{before} then {text}");
            before = text;
        }
        assert_eq!(date_of(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
