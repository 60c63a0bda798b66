//! Between the dates that people write and milliseconds since 1970.

use toml::value::{Date, Datetime, Offset, Time};

/// From the first of March of the year 0 to 1970, in days.
const DAYS_TO_1970: i64 = 719_468;
/// The days of 400 years, after which the calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

/// The moment that a date means; midnight where it has no time, UTC where it has no offset.
pub(super) fn unix_ms(moment: &Datetime) -> Result<u64, String> {
    let date = moment.date.ok_or("`expires` needs a date, as in 2027-01-31 or 2027-01-31T12:00:00Z")?;
    let (hour, minute, second) =
        moment.time.map_or((0, 0, 0), |time| (time.hour, time.minute, time.second.unwrap_or(0)));
    let offset = match moment.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes),
        Some(Offset::Z) | None => 0,
    };
    // Years begin in March here, so that the leap day comes last.
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_TO_1970;
    let minutes = (days * 24 + i64::from(hour)) * 60 + i64::from(minute) - offset;
    let seconds = minutes * 60 + i64::from(second);
    u64::try_from(seconds * 1000).map_err(|_| "`expires` is before 1970".to_owned())
}

/// A moment as a date in UTC, to the second; the end of the year 9999 for all that is later.
pub(super) fn date_of(unix_ms: u64) -> Datetime {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = (unix_ms / 1000).min(LAST_SECOND) as i64;
    let days = seconds / 86_400 + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let second = seconds % 86_400;
    let time = Time {
        hour: (second / 3_600) as u8,
        minute: (second / 60 % 60) as u8,
        second: Some((second % 60) as u8),
        nanosecond: None,
    };
    let date = Date { year: year as u16, month: month as u8, day: day as u8 };
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
