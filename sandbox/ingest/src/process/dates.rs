use sekisho_dataset::date_days;

/// Days since 1970-01-01 of `2003-02-26`, `2003/2/26` or `20030226`, years 1850 to 2200. No
/// other order of year, month and day is taken: it could be another date.
pub(super) fn days(text: &str) -> Option<i32> {
    if let Some(days) = date_days(text) {
        return Some(days);
    }
    let mut parts = text.split('/');
    if let (Some(year), Some(month), Some(day), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    {
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let whole = year.len() == 4 && digits(year, 4) && digits(month, 2) && digits(day, 2);
        return whole.then(|| date_days(&format!("{year}-{month:0>2}-{day:0>2}"))).flatten();
    }
    let compact = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    compact.then(|| date_days(&format!("{year}-{month}-{day}"))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_of_one_date_are_the_same_day() {
        let day = days("2003-02-26");
        assert!(day.is_some());
        assert_eq!((days("2003/2/26"), days("20030226"), days("2003/02/26")), (day, day, day));
        for bad in
            ["2003/13/1", "26/2/2003", "03/2/26", "2003/2/26/1", "2003226", "20030231", "", "//"]
        {
            assert_eq!(days(bad), None, "{bad}");
        }
    }
}
