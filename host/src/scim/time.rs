//! `dateTime` values (RFC 7643 §2.3.5).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The moment a text names, if it is an `xsd:dateTime`: "A DateTime value (e.g., 2008-01-23T04:56:22Z) … MUST be encoded
/// as a valid xsd:dateTime … and MUST include both a date and a time". Without a zone it is taken as UTC: §2.3.5 does
/// not require one, and a value must mean the same on every machine.
pub fn parse(text: &str) -> Option<Timestamp> {
    // The date-time parsers of libraries accept more forms than xsd:dateTime has.
    let (date, time) = text.split_once('T')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+Z".contains(&byte));
    if date.len() < 10 || time.len() < 8 || !digits(date) || !digits(time) {
        return None;
    }
    text.parse::<Timestamp>()
        .or_else(|_| {
            text.parse::<DateTime>().and_then(|civil| civil.to_zoned(TimeZone::UTC)).map(|zoned| zoned.timestamp())
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xsd_date_time_is_read_and_nothing_else() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
        };
        check("2008-01-23T04:56:22Z", Some("2008-01-23T04:56:22Z"));
        check("2011-05-13T04:42:34.5+02:00", Some("2011-05-13T02:42:34.5Z"));
        check("2011-05-13T04:42:34", Some("2011-05-13T04:42:34Z"));
        check("2011-05-13", None);
        check("2011-05-13 04:42:34Z", None);
        check("2011-13-13T04:42:34Z", None);
        check("2011-05-13T04:42:34Z[Europe/Berlin]", None);
        check("", None);
    }
}
