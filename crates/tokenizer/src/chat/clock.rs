//! `strftime_now` as templates written for Python expect it.

use std::fmt::Write;

/// `datetime.strftime` of a moment in UTC, given in seconds since 1970.
pub(crate) fn strftime(format: &str, seconds: i64) -> String {
    let moment = DateTime::new(seconds);
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let (padded, code) = match characters.next() {
            Some('-') => (false, characters.next()),
            code => (true, code),
        };
        match code {
            Some(code) => moment.write(&mut text, code, padded),
            None => text.push('%'),
        }
    }
    text
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

struct DateTime {
    year: i64,
    /// From 1.
    month: i64,
    day: i64,
    /// From 1.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl DateTime {
    /// Civil date from days, by Howard Hinnant's algorithm (years begin in March, so that leap days come last).
    fn new(seconds: i64) -> Self {
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let from_march = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * from_march + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        let day_of_year = if month <= 2 { from_march - 305 } else { from_march + 60 + leap };
        Self {
            year,
            month,
            day: from_march - (153 * month_from_march + 2) / 5 + 1,
            day_of_year,
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    fn write(&self, out: &mut String, code: char, padded: bool) {
        let month = MONTHS[self.month as usize - 1];
        let weekday = WEEKDAYS[self.weekday];
        let mut number = |value: i64, width: usize| {
            let width = if padded { width } else { 0 };
            write!(out, "{value:0width$}").expect("a string can be written to");
        };
        match code {
            'Y' => number(self.year, 4),
            'y' => number(self.year.rem_euclid(100), 2),
            'm' => number(self.month, 2),
            'd' => number(self.day, 2),
            'j' => number(self.day_of_year, 3),
            'H' => number(self.hour, 2),
            'I' => number((self.hour + 11) % 12 + 1, 2),
            'M' => number(self.minute, 2),
            'S' => number(self.second, 2),
            'f' => number(0, 6),
            'w' => number(self.weekday as i64, 1),
            'e' => write!(out, "{:>2}", self.day).expect("a string can be written to"),
            'p' => out.push_str(if self.hour < 12 { "AM" } else { "PM" }),
            'B' => out.push_str(month),
            'b' | 'h' => out.push_str(&month[..3]),
            'A' => out.push_str(weekday),
            'a' => out.push_str(&weekday[..3]),
            'F' => self.write_all(out, "Y-m-d"),
            'T' => self.write_all(out, "H:M:S"),
            'D' => self.write_all(out, "m/d/y"),
            'R' => self.write_all(out, "H:M"),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            '%' => out.push('%'),
            // Python's naive datetimes have neither offset nor zone name.
            'z' | 'Z' => {}
            other => {
                out.push('%');
                out.push(other);
            }
        }
    }

    fn write_all(&self, out: &mut String, codes: &str) {
        for code in codes.chars() {
            if code.is_ascii_alphabetic() {
                self.write(out, code, true);
            } else {
                out.push(code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_as_in_python() {
        let check = |seconds, format, expected: &str| assert_eq!(strftime(format, seconds), expected);
        check(0, "%Y-%m-%d %H:%M:%S %A %j", "1970-01-01 00:00:00 Thursday 001");
        check(951_782_400, "%d %B %Y %j", "29 February 2000 060");
        check(1_735_646_399, "%-d %b %y, %I:%M %p, day %j, 100%%", "31 Dec 24, 11:59 AM, day 366, 100%");
        check(-1, "%F %T", "1969-12-31 23:59:59");
        check(1_709_251_200, "%e %a %j", " 1 Fri 061");
    }
}
